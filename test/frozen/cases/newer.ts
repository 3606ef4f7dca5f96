import { Packr } from "msgpackr";
import { concat } from "../../../src/core/bytes.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { decodeAdvertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { decodeHello } from "../../../src/wire/greeting.ts";
import { readMessage } from "../../../src/wire/message.ts";
import { decodeError, decodeNotice, decodeReceipt } from "../../../src/wire/outcome.ts";
import { RecordReader } from "../../../src/wire/record.ts";
import { BARE } from "./routing.ts";
import { type Case, EAST, plainErrors, text } from "../case.ts";
import { parsed } from "./link.ts";

/** Not the product's: what a newer version writes, this one cannot. */
const { pack } = new Packr({ useRecords: false, variableMapSize: true });
const map = (value: object): Uint8Array => new Uint8Array(pack(value));

/** What no version has yet. */
const MORE = { zz: { deep: [1, "two"] }, "z-9": null };

const header = (length: number, kind: number, flags = 0): Uint8Array => Uint8Array.of(0, 0, length >> 8, length & 0xff, kind, flags, 0, 0);
const frame = (kind: number, body: Uint8Array): Uint8Array => concat([header(8 + body.length, kind), body]);

/** Kind 200 is to be passed on or skipped. */
function routed(kind: number, from: string, to: string, body: Uint8Array): Uint8Array {
  const head = new Uint8Array(40);
  const view = new DataView(head.buffer);
  for (const [at, { high, low }] of [
    [0, hashNodeId(to)],
    [8, hashNodeId(from)],
  ] as const) {
    view.setUint32(at, high);
    view.setUint32(at + 4, low);
  }
  head.fill(0x77, 24);
  return concat([header(48 + body.length, kind), head, body]);
}

const HELLO = {
  node: "newer",
  instance: "00ff".repeat(8),
  version: "9.0.0",
  ephemeral: false,
  leaf: false,
  cost: 1,
  capabilities: ["what-is-this"],
};

function reader(read: (bytes: Uint8Array) => unknown): (bytes: Uint8Array) => unknown {
  return (bytes) => plainErrors(read(bytes));
}

const message = (fields: object): Uint8Array => {
  const metadata = map(fields);
  return concat([new Uint8Array(48), new Uint8Array(9), Uint8Array.of(metadata.length), metadata, text("payload")]);
};

function advertisementAndMore(): Uint8Array {
  const raw = encodeAdvertisement({ ...BARE, node: EAST, links: [] });
  const old = map({ version: BARE.version });
  const body = map({ version: BARE.version, ...MORE });
  const head = raw.slice(0, raw.length - old.length);
  head[head.length - 1] = body.length;
  return concat([head, body, new Uint8Array(64).fill(0x5a)]);
}

/** What a newer minor version may send, made by hand, and what this one makes of it. */
export const NEWER_CASES: readonly Case[] = [
  {
    name: "hello",
    means: "of minor version 9, with fields and a capability that nobody knows",
    value: { ...HELLO, versionMajor: 1, versionMinor: 9 },
    encode: () => frame(1, concat([text("RMSH"), Uint8Array.of(1, 9), map({ ...HELLO, ...MORE })])),
    decode: reader((bytes) => decodeHello(parsed(bytes).subarray(8))),
  },
  {
    name: "link-kind",
    means: "a frame between link ends of a kind that nobody knows",
    value: 15,
    encode: () => frame(15, text("whatever this is")),
    decode: (bytes) => parsed(bytes)[4],
  },
  {
    name: "routed-kind",
    means: "a routed frame of such a kind, from newer to target",
    value: 200,
    encode: () => routed(200, "newer", "target", text("whatever this is")),
    decode: (bytes) => parsed(bytes)[4],
  },
  {
    name: "advertisement",
    means: "with more fields, and a signature behind",
    value: BARE,
    encode: advertisementAndMore,
    decode: reader(decodeAdvertisement),
  },
  {
    name: "message",
    means: "with more metadata",
    value: { sender: EAST, directive: "echo:run", headers: {}, floor: 0, deadline: undefined, payload: text("payload") },
    encode: () => message({ s: EAST, d: "echo:run", ...MORE }),
    decode: reader((bytes) => readMessage(bytes, 0, bytes.length)),
  },
  {
    name: "message-critical",
    means: "with metadata that must be understood",
    value: "UNSUPPORTED",
    encode: () => message({ s: EAST, d: "echo:run", "!sealed": true }),
    decode: (bytes) => {
      try {
        return readMessage(bytes, 0, bytes.length);
      } catch (error) {
        return error instanceof Error && "code" in error ? error.code : error;
      }
    },
  },
  {
    name: "receipt",
    means: "with more fields",
    value: { type: "stale", life: 7, resent: false },
    encode: () => map({ t: "stale", p: 7, r: false, ...MORE }),
    decode: reader(decodeReceipt),
  },
  {
    name: "notice",
    means: "with more fields",
    value: { type: "parked", node: EAST, ttl: 5 },
    encode: () => map({ t: "parked", n: EAST, l: 5, ...MORE }),
    decode: reader(decodeNotice),
  },
  {
    name: "error",
    means: "with a code that nobody knows",
    value: { code: "INTERNAL", message: "too clever", data: { code: "TOO_CLEVER", by: 2 } },
    encode: () => map({ c: "TOO_CLEVER", m: "too clever", d: { by: 2, deep: { er: 1 } }, ...MORE }),
    decode: reader(decodeError),
  },
  {
    name: "record",
    means: "one of an unknown type, which is skipped, then an end with more fields",
    value: [{ type: "end", end: { state: "succeeded", responses: 0, exitCode: undefined, error: undefined } }],
    encode: () => {
      const end = map({ s: "succeeded", n: 0, x: null, e: null, ...MORE });
      return concat([Uint8Array.of(40, 0, 0, 0, 0, 0, 0, 3), text("???"), Uint8Array.of(5, 0, 0, 0, 0, 0, 0, end.length), end]);
    },
    decode: (bytes) => {
      const found: unknown[] = [];
      new RecordReader().push(bytes, (record) => found.push(plainErrors(record)));
      return found;
    },
  },
];
