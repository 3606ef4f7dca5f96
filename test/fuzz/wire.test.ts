import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, EMPTY } from "../../src/core/bytes.ts";
import { decodeAcknowledgements } from "../../src/wire/acknowledgement.ts";
import { encode } from "../../src/wire/codec.ts";
import { ROUTED_HEADER } from "../../src/wire/frame.ts";
import { endRecord, finishRecord, recordHead, RecordReader, type ResponseRecord, runningRecord } from "../../src/wire/record.ts";
import { DECODERS } from "./decoders.ts";
import { identityDecoders } from "./identity-decoders.ts";
import { onlyTyped } from "./support.ts";

const mutation = fc.record({
  like: fc.nat(100),
  random: fc.option(fc.uint8Array({ maxLength: 400 }), { freq: 2 }),
  value: fc.option(fc.jsonValue({ maxDepth: 20 }), { freq: 2 }),
  changes: fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 5 }),
  cut: fc.nat(400),
  tail: fc.uint8Array({ maxLength: 8 }),
});

for (const [name, { samples, read, codes }] of Object.entries({ ...DECODERS, ...(await identityDecoders()) })) {
  describe(`the decoder of ${name}`, () => {
    it("reads what the encoder wrote", () => {
      for (const sample of samples) expect(onlyTyped([], () => read(sample))).toBe(true);
    });

    it(`throws nothing but ${codes.join(", ")}, soon, whatever it is given`, () => {
      fc.assert(
        fc.property(mutation, ({ like, random, value, changes, cut, tail }) => {
          const model = random ?? (value === null ? samples[like % samples.length] : encode(value)) ?? EMPTY;
          const bytes = new Uint8Array([
            ...model.subarray(0, cut > 350 ? cut - 350 : model.length),
            ...tail.subarray(0, like % 3 === 0 ? tail.length : 0),
          ]);
          for (const { at, byte } of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
          onlyTyped(codes, () => read(bytes));
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
