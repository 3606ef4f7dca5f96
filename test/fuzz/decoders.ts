import { EMPTY, utf8 } from "../../src/core/bytes.ts";
import { type ErrorCode, MeshError } from "../../src/core/errors.ts";
import { messageId, nodeId } from "../../src/core/ids.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { BOUNDS, FrameReader, frameHead, KIND, readCount } from "../../src/plugin/isolated/frames.ts";
import {
  factsMessage,
  readFacts,
  readLog,
  readMessage as readText,
  readOutcome,
  readResponseHead,
  responseHead,
  toJson,
} from "../../src/plugin/isolated/messages.ts";
import { decodeAcknowledgements, encodeAcknowledgements } from "../../src/wire/acknowledgement.ts";
import { decodeAdvertisement, decodeEnvelope, encodeAdvertisement } from "../../src/wire/advertisement.ts";
import { decodeDenied, encodeDenied } from "../../src/wire/denied.ts";
import { BatchWriter, encodeDigest, encodePull, readBatch, readDigest, readPull } from "../../src/wire/digest.ts";
import { ageOf, PageWriter, readPage } from "../../src/delivery/parking/park-page.ts";
import { decodeGoodbye, decodeHello, decodeKeepalive, encodeHello, encodeKeepalive } from "../../src/wire/greeting.ts";
import { encodeMetadata, layMessage, readMessage } from "../../src/wire/message.ts";
import { decodeError, decodeNotice, decodeReceipt, encodeError, encodeNotice, encodeReceipt } from "../../src/wire/outcome.ts";
import { FrameParser } from "../../src/wire/parser.ts";
import { frameOf } from "../unit/sealing/support.ts";
import { endRecord, finishRecord, recordHead, RecordReader, runningRecord } from "../../src/wire/record.ts";

/** What a peer hears that says what cannot be. */
const PROTOCOL: readonly ErrorCode[] = ["PROTOCOL_ERROR", "TOO_LARGE", "UNSUPPORTED"];
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

/** Something that reads what others have written. */
export interface Decoder {
  /** What it must read. */
  readonly samples: readonly Uint8Array[];
  readonly read: (bytes: Uint8Array) => unknown;
  /** What it may throw. */
  readonly codes: readonly ErrorCode[];
  /** No longer input reaches it, in bytes. */
  readonly most: number;
}

type Bare = Pick<Decoder, "samples" | "read"> & Partial<Decoder>;

const WIRE: Readonly<Record<string, Bare>> = {
  frames: {
    samples: [Uint8Array.of(0, 0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 16, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)],
    read: (bytes) => new FrameParser(() => undefined).push(bytes),
  },
  "frames of a stranger": {
    samples: [Uint8Array.of(0, 0, 0, 8, 3, 0, 0, 0)],
    read: (bytes) => new FrameParser(() => undefined, 4_096).push(bytes),
  },
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
  goodbye: { samples: [encodeError(error), EMPTY], read: decodeGoodbye },
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

const facts = factsMessage({ name: "echo", concurrency: 4, actions: { run: { run: async () => "", idempotent: true } } });
const framed = [frameHead(KIND.done, 0, facts.length), facts, frameHead(KIND.taken, 1, 4), Uint8Array.of(1, 0, 0, 0)];

const frame = frameOf("a", "b", { body: Uint8Array.of(1, 2, 3) });
const page = new PageWriter();
page.push(frame, 0, frame.length);
page.push(frame, 0, frame.length);

/** What stands on the disk, which may have been damaged. */
const STORED: Readonly<Record<string, Bare>> = {
  "stored page": { samples: [page.close(5_000).slice()], read: (bytes) => readPage(bytes, () => undefined) === undefined && ageOf(bytes) },
};

/** What a plugin's process says. */
const PLUGIN: Readonly<Record<string, Bare>> = {
  "plugin frames": { samples: [new Uint8Array(Buffer.concat(framed))], read: (bytes) => [...new FrameReader(BOUNDS.frame).read(bytes)] },
  "plugin facts": { samples: [facts], read: (bytes) => readFacts(bytes, "it"), codes: [...PROTOCOL, "PLUGIN_INVALID"] },
  "plugin outcome": { samples: [toJson({ code: "WORK_FAILED", message: "no", exitCode: 2 }), toJson({})], read: readOutcome },
  "plugin log": { samples: [toJson({ level: "info", message: "hello", fields: { at: 1 } })], read: readLog },
  "plugin text": { samples: [toJson({ message: "no" })], read: readText },
  "plugin response": { samples: [responseHead({ content: "text", channel: "out" })], read: readResponseHead },
  "plugin count": { samples: [Uint8Array.of(1, 2, 3, 4)], read: readCount },
};

/** By name, all that read what a peer, a member, a plugin's process or this node's disk has written. */
export const DECODERS: Readonly<Record<string, Decoder>> = Object.fromEntries(
  Object.entries({ ...WIRE, ...STORED, ...PLUGIN }).map(([name, decoder]) => [
    name,
    { codes: PROTOCOL, most: LIMITS.controlFrame, ...decoder },
  ]),
);
