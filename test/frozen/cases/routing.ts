import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { type Advertisement, decodeAdvertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import {
  BATCH_FLAG,
  BatchWriter,
  DIGEST_FLAG,
  encodeDigest,
  encodePull,
  PULL_FLAG,
  readBatch,
  readDigest,
  readPull,
} from "../../../src/wire/digest.ts";
import type { DigestEntry } from "../../../src/wire/digest.ts";
import { checkAdvertisement, readHead } from "../../../src/wire/advertisement-layout.ts";
import { signAdvertisement, signatureOf, signedBytes } from "../../../src/wire/advertisement-signature.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { type Case, EAST, frozen, text, WEST } from "../case.ts";
import { linkCase } from "./link.ts";

export const BARE: Advertisement = {
  node: EAST,
  epoch: 1,
  sequence: 1,
  boot: "00112233445566778899aabbccddeeff",
  uptime: 0,
  links: [],
  groups: [],
  plugins: [],
  load: { running: 0, queued: 0 },
  leaf: false,
  draining: false,
  ephemeral: false,
  withdrawn: false,
  version: "0.1.0",
};

const FULL: Advertisement = {
  ...BARE,
  node: WEST,
  epoch: 0x0102_0304_0506,
  sequence: 0x0a0b_0c0d_0e0f,
  uptime: 0x0011_2233_4455,
  links: [
    { peer: EAST, cost: 0.001 },
    { peer: WEST, cost: 1_000_000 },
  ],
  groups: ["gpu", "Lab_2"],
  plugins: [{ name: "echo", version: "1.2.3", actions: ["run", "run_Twice"] }],
  load: { running: 3, queued: 400 },
};

/** Each flag in an advertisement of its own. */
const FLAGS = ["withdrawn", "leaf", "draining", "ephemeral"] as const;

/** The head that relays compare, and all of the rest. */
function decodeBoth(bytes: Uint8Array): unknown {
  const { high, low, epoch, sequence, boot, flags } = readHead(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
  return { head: { high, low, epoch, sequence, boot, flags }, all: decodeAdvertisement(bytes) };
}

function advertised(name: string, means: string, value: Advertisement, flags = 0): Case {
  const { epoch, sequence, boot } = value;
  const head = { ...hashNodeId(value.node), epoch, sequence, boot: Number.parseInt(boot.slice(8, 16), 16), flags };
  return frozen<unknown>(name, means, { head, all: value }, () => encodeAdvertisement(value), decodeBoth);
}

/** The certificate is none; the key is a known one, so that what is signed is frozen with the rest. */
function signed(name: string, means: string): Case {
  const prefix = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]);
  const key = createPrivateKey({ key: Buffer.concat([prefix, new Uint8Array(32).fill(0x42)]), format: "der", type: "pkcs8" });
  const value = { ...FULL, credentials: { certificate: text("a certificate, DER"), sealingKey: new Uint8Array(32).fill(0x17) } };
  return {
    name,
    means,
    value: { all: value, holds: true },
    encode: () => signAdvertisement(encodeAdvertisement(value), (bytes) => new Uint8Array(sign(null, bytes, key))),
    decode: (bytes) => {
      const layout = checkAdvertisement(bytes);
      const holds = verify(null, signedBytes(bytes, layout), createPublicKey(key), signatureOf(bytes, layout));
      return { all: decodeAdvertisement(bytes), holds };
    },
  };
}

interface Digest {
  readonly flags: number;
  readonly entries: readonly DigestEntry[];
}

const ENTRIES: readonly DigestEntry[] = [
  { ...hashNodeId(EAST), epoch: 7, sequence: 9, boot: 0x44556677 },
  { ...hashNodeId(WEST), epoch: 0x0102_0304_0506, sequence: 0x0a0b_0c0d_0e0f, boot: 0xffff_ffff },
];

function decodeDigest(body: Uint8Array): Digest {
  const entries: DigestEntry[] = [];
  const flags = readDigest(body, (entry) => entries.push(entry));
  return { flags, entries };
}

interface Pull {
  readonly flags: number;
  readonly nodes: readonly { readonly high: number; readonly low: number }[];
}

function decodePull(body: Uint8Array): Pull {
  const nodes: { high: number; low: number }[] = [];
  const flags = readPull(body, (high, low) => nodes.push({ high, low }));
  return { flags, nodes };
}

interface Batch {
  readonly flags: number;
  readonly entries: readonly { readonly age: number; readonly of: Advertisement }[];
}

function encodeBatch({ flags, entries }: Batch): Uint8Array {
  const writer = new BatchWriter(flags & BATCH_FLAG.exchange);
  for (const { age, of } of entries) writer.add(encodeAdvertisement(of), age);
  return only(writer.finish(flags & ~BATCH_FLAG.exchange));
}

function decodeBatch(body: Uint8Array): Batch {
  const entries: Batch["entries"][number][] = [];
  readBatch(body, (_view, start, end, age) => entries.push({ age, of: decodeAdvertisement(body.subarray(start, end)) }));
  return { flags: body[0] ?? 0, entries };
}

function only(bodies: readonly Uint8Array[]): Uint8Array {
  const [body] = bodies;
  if (body === undefined || bodies.length > 1) throw new RangeError(`${bodies.length} bodies where there is one`);
  return body;
}

const batch = (name: string, means: string, value: Batch): Case =>
  linkCase([name, means], FRAME.advertisements, value, encodeBatch, decodeBatch);

export const ROUTING_CASES: readonly Case[] = [
  advertised("advertisement", "what a lone node says of itself", BARE),
  advertised("advertisement-full", "with links, groups, plugins and load", FULL),
  signed("advertisement-signed", "in a mesh with an authority: with a certificate, a sealing key, and a signature"),
  ...FLAGS.map((flag, bit) => advertised(`advertisement-${flag}`, `of a node that is ${flag}`, { ...BARE, [flag]: true }, 1 << bit)),
  linkCase<Digest>(
    ["digest", "the only page of what a node knows"],
    FRAME.digest,
    { flags: DIGEST_FLAG.last, entries: ENTRIES },
    ({ entries }) => only(encodeDigest(entries)),
    decodeDigest,
  ),
  linkCase<Digest>(
    ["digest-empty", "of a node that knows nobody"],
    FRAME.digest,
    { flags: DIGEST_FLAG.last, entries: [] },
    () => only(encodeDigest([])),
    decodeDigest,
  ),
  linkCase<Pull>(
    ["pull", "asks again for two nodes"],
    FRAME.pull,
    { flags: 0, nodes: [hashNodeId(EAST), hashNodeId(WEST)] },
    ({ flags, nodes }) => encodePull(flags, nodes),
    decodePull,
  ),
  linkCase<Pull>(
    ["pull-more", "go on with the exchange"],
    FRAME.pull,
    { flags: PULL_FLAG.more, nodes: [] },
    ({ flags, nodes }) => encodePull(flags, nodes),
    decodePull,
  ),
  batch("advertisements", "two of them, flooded", {
    flags: 0,
    entries: [
      { age: 0, of: BARE },
      { age: 12_345, of: FULL },
    ],
  }),
  batch("advertisements-more", "a part of an exchange", { flags: BATCH_FLAG.exchange | BATCH_FLAG.more, entries: [{ age: 5, of: BARE }] }),
  batch("advertisements-end", "the end of an exchange", { flags: BATCH_FLAG.exchange | BATCH_FLAG.end, entries: [] }),
];
