import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isMeshError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { type Advertisement, decodeAdvertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { bootLife, isOf, listedCost, readHead } from "../../../src/wire/advertisement-layout.ts";
import { encode } from "../../../src/wire/codec.ts";
import {
  BATCH_FLAG,
  BatchWriter,
  DIGEST_FLAG,
  type DigestEntry,
  encodeDigest,
  encodePull,
  PULL_FLAG,
  readBatch,
  readDigest,
  readPull,
} from "../../../src/wire/digest.ts";

const anId = fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/).map(nodeId);
const counter = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const anAdvertisement: fc.Arbitrary<Advertisement> = fc.record({
  node: anId,
  epoch: counter,
  sequence: counter,
  boot: fc.stringMatching(/^[0-9a-f]{32}$/),
  uptime: counter,
  links: fc.array(fc.record({ peer: anId, cost: fc.integer({ min: 1, max: 1e9 }).map((cost) => cost / 1000) }), { maxLength: 20 }),
  groups: fc.array(fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/), { maxLength: 5 }),
  plugins: fc.array(
    fc.record({
      name: fc.stringMatching(/^[a-z0-9-]{1,64}$/),
      version: fc.stringMatching(/^[0-9.]{1,20}$/),
      actions: fc.array(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), { maxLength: 5 }),
    }),
    { maxLength: 5 },
  ),
  load: fc.record({ running: fc.nat(), queued: fc.nat() }),
  leaf: fc.boolean(),
  draining: fc.boolean(),
  ephemeral: fc.boolean(),
  withdrawn: fc.boolean(),
  version: fc.stringMatching(/^[0-9.]{1,20}$/),
});

const PLAIN: Advertisement = {
  node: nodeId("a"),
  epoch: 7,
  sequence: 9,
  boot: "01234567deadbeef".padEnd(32, "0"),
  uptime: 5,
  links: [{ peer: nodeId("b"), cost: 2.5 }],
  groups: [],
  plugins: [],
  load: { running: 0, queued: 0 },
  leaf: false,
  draining: false,
  ephemeral: false,
  withdrawn: false,
  version: "0.1.0",
};

/** Replaces the msgpack at the end of an encoded advertisement. */
function withBody(body: Uint8Array): Uint8Array {
  const raw = encodeAdvertisement(PLAIN);
  const old = encode({ version: PLAIN.version }).length;
  const start = raw.length - old;
  const bytes = new Uint8Array(start + body.length);
  bytes.set(raw.subarray(0, start));
  bytes.set(body, start);
  new DataView(bytes.buffer).setUint16(start - 2, body.length);
  return bytes;
}

describe("encodeAdvertisement", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(anAdvertisement, (advertisement) => {
        expect(decodeAdvertisement(encodeAdvertisement(advertisement))).toEqual(advertisement);
      }),
      { numRuns: 200 },
    );
  });

  it("puts first what a relay compares", () => {
    const raw = encodeAdvertisement(PLAIN);
    expect(readHead(new DataView(raw.buffer), 0)).toEqual({
      ...hashNodeId("a"),
      epoch: 7,
      sequence: 9,
      boot: bootLife(PLAIN.boot),
      flags: 0,
    });
    expect(bootLife(PLAIN.boot)).toBe(0xdeadbeef);
    expect([isOf(raw, 0, "a"), isOf(raw, 0, "b"), isOf(raw, 0, "aa")]).toEqual([true, false, false]);
  });

  it("finds the cost at which a node is listed", () => {
    const raw = encodeAdvertisement(PLAIN);
    const of = (node: string): Uint8Array => encodeAdvertisement({ ...PLAIN, node: nodeId(node) });
    expect([listedCost(raw, of("b")), listedCost(raw, of("c")), listedCost(raw, of("bb"))]).toEqual([2500, 0, 0]);
  });

  it("refuses what is larger than an advertisement may be, or has too many links", () => {
    const plugins = Array.from({ length: 255 }, (_, i) => ({
      name: `p-${i}`,
      version: "1",
      actions: Array.from({ length: 30 }, (_unused, j) => `action-${j}`),
    }));
    expect(() => encodeAdvertisement({ ...PLAIN, plugins })).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
    const links = Array.from({ length: LIMITS.linksPerNode + 1 }, (_, i) => ({ peer: nodeId(`n${i}`), cost: 1 }));
    expect(() => encodeAdvertisement({ ...PLAIN, links })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("decodeAdvertisement", () => {
  it("ignores fields that it does not know, and a signature behind it", () => {
    const raw = withBody(encode({ version: "2.0.0", later: { a: [1, 2] } }));
    expect(decodeAdvertisement(raw)).toEqual({ ...PLAIN, version: "2.0.0" });
    const signed = new Uint8Array(raw.length + 64);
    signed.set(raw);
    expect(decodeAdvertisement(signed)).toEqual({ ...PLAIN, version: "2.0.0" });
  });

  it("refuses fields of the wrong form", () => {
    for (const body of [
      {},
      { version: 1 },
      { version: "a\u001b[2J" },
      { version: "1", groups: ["a b"] },
      { version: "1", plugins: [{ name: "X", version: "1", actions: [] }] },
      { version: "1", load: { running: -1, queued: 0 } },
    ]) {
      expect(() => decodeAdvertisement(withBody(encode(body))), JSON.stringify(body)).toThrow(
        expect.objectContaining({ code: "PROTOCOL_ERROR" }),
      );
    }
  });

  it("throws nothing but typed errors, whatever the bytes", () => {
    const typed = (bytes: Uint8Array): void => {
      try {
        decodeAdvertisement(bytes);
      } catch (error) {
        expect(isMeshError(error)).toBe(true);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), typed), { numRuns: 500 });
    const raw = encodeAdvertisement(PLAIN);
    fc.assert(
      fc.property(fc.nat(raw.length - 1), fc.nat(255), (at, value) => {
        const bytes = raw.slice();
        bytes[at] = value;
        typed(bytes);
        typed(bytes.subarray(0, at));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("digest, pull and batch bodies", () => {
  const entry = (i: number): DigestEntry => ({ high: i, low: 0xffffffff - i, epoch: 2 ** 40 + i, sequence: i, boot: i });

  it("page a digest, and mark the last page", () => {
    for (const count of [0, 1, 2_730, 2_731, 10_000]) {
      const entries = Array.from({ length: count }, (_, i) => entry(i));
      const read: DigestEntry[] = [];
      const pages = encodeDigest(entries);
      const flags = pages.map((page) => readDigest(page, (item) => void read.push(item)));
      expect(read).toEqual(entries);
      expect(flags).toEqual([...Array.from({ length: pages.length - 1 }, () => 0), DIGEST_FLAG.last]);
    }
  });

  it("carry a pull", () => {
    const read: [number, number][] = [];
    expect(readPull(encodePull(PULL_FLAG.more, [{ high: 1, low: 2 }]), (high, low) => void read.push([high, low]))).toBe(PULL_FLAG.more);
    expect(read).toEqual([[1, 2]]);
  });

  it("pack advertisements into frames, with their ages, and mark only the last", () => {
    const raw = encodeAdvertisement({ ...PLAIN, groups: Array.from({ length: 200 }, (_, i) => `group-number-${i}`) });
    const writer = new BatchWriter(BATCH_FLAG.exchange);
    for (let i = 0; i < 100; i++) writer.add(raw, i);
    const bodies = writer.finish(BATCH_FLAG.end);
    const ages: number[] = [];
    for (const body of bodies) {
      expect(body.length).toBeLessThanOrEqual(64 * 1024 - 8);
      readBatch(body, (_view, start, end, age) => {
        expect(body.subarray(start, end)).toEqual(raw);
        ages.push(age);
      });
    }
    expect(ages).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(bodies.map((body) => body[0])).toEqual([
      ...Array.from({ length: bodies.length - 1 }, () => BATCH_FLAG.exchange),
      BATCH_FLAG.exchange | BATCH_FLAG.end,
    ]);
    expect(new BatchWriter().finish()).toEqual([]);
    expect(new BatchWriter().finish(BATCH_FLAG.end)).toHaveLength(1);
  });

  it("throw nothing but typed errors, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const read of [readDigest, readPull, readBatch]) {
          try {
            read(bytes, () => undefined);
          } catch (error) {
            expect(isMeshError(error)).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
