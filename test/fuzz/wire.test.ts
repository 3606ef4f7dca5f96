import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, EMPTY, utf8 } from "../../src/core/bytes.ts";
import { MeshError } from "../../src/core/errors.ts";
import { nodeId } from "../../src/core/ids.ts";
import { decodeAcknowledgements, encodeAcknowledgements } from "../../src/wire/acknowledgement.ts";
import { decodeAdvertisement, decodeEnvelope, encodeAdvertisement } from "../../src/wire/advertisement.ts";
import { encode } from "../../src/wire/codec.ts";
import { decodeDenied, encodeDenied } from "../../src/wire/denied.ts";
import { BatchWriter, encodeDigest, encodePull, readBatch, readDigest, readPull } from "../../src/wire/digest.ts";
import { decodeHello, decodeKeepalive, encodeHello, encodeKeepalive } from "../../src/wire/greeting.ts";
import { ROUTED_HEADER } from "../../src/wire/frame.ts";
import { encodeMetadata, layMessage, readMessage } from "../../src/wire/message.ts";
import { decodeError, decodeNotice, decodeReceipt, encodeError, encodeNotice, encodeReceipt } from "../../src/wire/outcome.ts";
import { endRecord, finishRecord, recordHead, RecordReader, type ResponseRecord, runningRecord } from "../../src/wire/record.ts";
import { messageId } from "../../src/core/ids.ts";
import { onlyTyped } from "./support.ts";

const PROTOCOL = ["PROTOCOL_ERROR", "TOO_LARGE", "UNSUPPORTED"] as const;
const error = new MeshError("DENIED", "no", { data: { node: "a", many: ["x", "y"], count: 3 } });
const id = messageId("0190163d-8694-839b-aea5-966c26f8ad91");
const advertisement = encodeAdvertisement({
  node: nodeId("alpha"),
  epoch: 3,
  sequence: 70_000,
  boot: "0123456789abcdef".repeat(2),
  uptime: 1_000,
  links: [
    { peer: nodeId("beta"), cost: 1.5 },
    { peer: nodeId("gamma"), cost: 1 },
  ],
  groups: ["web", "db"],
  plugins: [{ name: "echo", version: "0.1.0", actions: ["run", "count"] }],
  load: { running: 1, queued: 2 },
  leaf: false,
  draining: true,
  ephemeral: false,
  withdrawn: false,
  version: "0.1.0",
});
const first = (list: readonly Uint8Array[]): Uint8Array => list[0] ?? EMPTY;
const batch = new BatchWriter();
batch.add(advertisement, 100);
batch.add(advertisement, 7);

interface Decoder {
  readonly samples: readonly Uint8Array[];
  readonly read: (bytes: Uint8Array) => unknown;
}

const DECODERS: Readonly<Record<string, Decoder>> = {
  receipt: {
    samples: [
      { type: "accepted" } as const,
      { type: "refused", error } as const,
      { type: "stale", life: 7, resent: true } as const,
      { type: "attached", offset: 4_000_000_000_000, serial: 9, generation: 65_535 } as const,
      { type: "elsewhere", node: nodeId("b") } as const,
    ].map(encodeReceipt),
    read: decodeReceipt,
  },
  notice: {
    samples: [
      { type: "parked", node: nodeId("x"), ttl: 1_000 } as const,
      { type: "released", node: nodeId("x"), life: 12 } as const,
      { type: "failed", node: nodeId("x"), error } as const,
    ].map(encodeNotice),
    read: decodeNotice,
  },
  error: { samples: [encodeError(error)], read: decodeError },
  hello: {
    samples: [
      encodeHello({
        node: nodeId("a"),
        instance: "0".repeat(32),
        versionMajor: 1,
        versionMinor: 0,
        version: "1",
        ephemeral: false,
        leaf: true,
        cost: 2,
        capabilities: ["x"],
        critical: ["y"],
        listening: ["tcp://a:1"],
      }),
    ],
    read: decodeHello,
  },
  keepalive: { samples: [encodeKeepalive(12.5)], read: decodeKeepalive },
  denied: { samples: [encodeDenied({ number: 3, list: utf8("{}\nAA\n") })], read: decodeDenied },
  acknowledgements: {
    samples: [
      encodeAcknowledgements([
        { id, upward: true, gap: true, probed: false, done: true, detached: false, generation: 3, offset: 2 ** 40, window: 9 },
      ]),
    ],
    read: (bytes) => decodeAcknowledgements(bytes, 0, bytes.length, () => undefined),
  },
  message: {
    samples: [layMessage(encodeMetadata(nodeId("a"), "echo:run", { lang: "en" }), { deadline: 5, floor: 1, payload: utf8("hi") })],
    read: (bytes) => readMessage(bytes, 0, bytes.length),
  },
  advertisement: { samples: [advertisement], read: decodeAdvertisement },
  envelope: { samples: [advertisement], read: decodeEnvelope },
  digest: {
    samples: encodeDigest([{ high: 1, low: 2, epoch: 3, sequence: 4, boot: 5 }]),
    read: (bytes) => readDigest(bytes, () => undefined),
  },
  pull: { samples: [encodePull(1, [{ high: 1, low: 2 }])], read: (bytes) => readPull(bytes, () => undefined) },
  batch: { samples: [first(batch.finish())], read: (bytes) => readBatch(bytes, () => undefined) },
  records: {
    samples: [
      recordHead("response", "text", "out", 0),
      recordHead("begin", "json", undefined, 0, true).slice(),
      finishRecord(),
      runningRecord(),
      endRecord({ state: "failed", responses: 3, exitCode: 2, error }),
    ],
    read: (bytes) => new RecordReader().push(bytes, () => undefined),
  },
};

const mutation = fc.record({
  like: fc.nat(100),
  random: fc.option(fc.uint8Array({ maxLength: 400 }), { freq: 2 }),
  value: fc.option(fc.jsonValue({ maxDepth: 20 }), { freq: 2 }),
  changes: fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 5 }),
  cut: fc.nat(400),
  tail: fc.uint8Array({ maxLength: 8 }),
});

for (const [name, { samples, read }] of Object.entries(DECODERS)) {
  describe(`the decoder of ${name}`, () => {
    it("reads what the encoder wrote", () => {
      for (const sample of samples) expect(onlyTyped([], () => read(sample))).toBe(true);
    });

    it("throws nothing but PROTOCOL_ERROR, TOO_LARGE and UNSUPPORTED, soon, whatever it is given", () => {
      fc.assert(
        fc.property(mutation, ({ like, random, value, changes, cut, tail }) => {
          const model = random ?? (value === null ? samples[like % samples.length] : encode(value)) ?? EMPTY;
          const bytes = new Uint8Array([
            ...model.subarray(0, cut > 350 ? cut - 350 : model.length),
            ...tail.subarray(0, like % 3 === 0 ? tail.length : 0),
          ]);
          for (const { at, byte } of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
          onlyTyped(PROTOCOL, () => read(bytes));
        }),
        { numRuns: 1_500 },
      );
    });
  });
}

describe("RecordReader", () => {
  const record = fc.oneof(
    fc.record({
      type: fc.constantFrom("response", "chunk"),
      content: fc.constantFrom("bytes", "text", "json"),
      channel: fc.option(fc.constantFrom("out", "err"), { nil: undefined }),
      payload: fc.uint8Array({ maxLength: 200 }),
    }),
    fc.constantFrom("finish", "running", "end"),
  );

  it("gives the same records however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (list, cuts) => {
        const parts: Uint8Array[] = [];
        for (const one of list) {
          if (typeof one === "string") {
            parts.push(
              one === "finish"
                ? finishRecord()
                : one === "running"
                  ? runningRecord()
                  : endRecord({ state: "succeeded", responses: 1, exitCode: undefined, error: undefined }),
            );
          } else {
            const type = one.type === "chunk" ? "chunk" : "response";
            parts.push(recordHead(type, one.content, type === "chunk" ? undefined : one.channel, one.payload.length).slice(), one.payload);
          }
        }
        const all = Buffer.concat(parts);
        const whole: Read[] = [];
        new RecordReader().push(new Uint8Array(all), (each, size) => whole.push([each, size]));
        expect(whole.length).toBe(list.length);
        const pieces: Read[] = [];
        const reader = new RecordReader();
        for (let at = 0, i = 0; at < all.length; i++) {
          const to = Math.min(all.length, at + (cuts[i % cuts.length] ?? 1));
          reader.push(new Uint8Array(all.subarray(at, to)), (each, size) => pieces.push([each, size]));
          at = to;
        }
        expect(joined(pieces)).toEqual(joined(whole));
      }),
    );
  });

  it("hands over what has come of a chunk, and copies no byte twice", () => {
    const reader = new RecordReader();
    const read: Read[] = [];
    const head = recordHead("chunk", "bytes", undefined, 10).slice();
    for (const bytes of [head, Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6, 7, 8, 9, 10)])
      reader.push(bytes, (each, size) => read.push([each, size]));
    expect(read).toEqual([
      [{ type: "chunk", payload: Uint8Array.of(1, 2, 3) }, 11],
      [{ type: "chunk", payload: Uint8Array.of(4, 5, 6, 7, 8, 9, 10) }, 7],
    ]);
  });
});

type Read = readonly [record: ResponseRecord, size: number];

/** Where one chunk ends and the next begins means nothing. */
function joined(list: readonly Read[]): readonly Read[] {
  const all: Read[] = [];
  for (const [record, size] of list) {
    const last = all.at(-1);
    if (record.type === "chunk" && last?.[0].type === "chunk")
      all[all.length - 1] = [{ type: "chunk", payload: concat([last[0].payload, record.payload]) }, last[1] + size];
    else all.push([record, size]);
  }
  return all;
}

describe("decodeAcknowledgements", () => {
  it("calls back once for each whole entry, and never more", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        let entries = 0;
        decodeAcknowledgements(bytes, 0, bytes.length, () => entries++);
        expect(entries).toBe(Math.max(0, Math.floor((bytes.length - ROUTED_HEADER) / 32)));
      }),
    );
  });
});
