import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { isMeshError, MeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { encode, type Plain } from "../../../src/wire/codec.ts";
import {
  decodeGoodbye,
  decodeHello,
  decodeKeepalive,
  encodeGoodbye,
  encodeHello,
  encodeKeepalive,
  type Greeting,
  helloVersion,
} from "../../../src/wire/greeting.ts";

const GREETING: Greeting = {
  node: nodeId("alpha"),
  instance: "0123456789abcdef".repeat(2),
  versionMajor: 1,
  versionMinor: 4,
  version: "0.1.0",
  ephemeral: true,
  leaf: false,
  cost: 2.5,
  capabilities: ["resume", "seal"],
};

function codeOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return error.code;
  }
}

function hello(changes: { readonly [key: string]: Plain }): Uint8Array {
  const { versionMajor: _major, versionMinor: _minor, ...fields } = GREETING;
  return Uint8Array.from([0x52, 0x4d, 0x53, 0x48, 1, 4, ...encode({ ...fields, ...changes })]);
}

describe("encodeHello and decodeHello", () => {
  it("give back the greeting, with and without what is optional", () => {
    const full = { ...GREETING, critical: ["seal"], listening: ["tcp://10.0.0.1:8888"], uptime: 12.5 };
    expect(decodeHello(encodeHello(full))).toEqual(full);
    expect(decodeHello(encodeHello(GREETING))).toEqual(GREETING);
  });

  it("begin with the magic and the version", () => {
    expect([...encodeHello(GREETING).subarray(0, 6)]).toEqual([0x52, 0x4d, 0x53, 0x48, 1, 4]);
    expect(helloVersion(encodeHello(GREETING))).toEqual({ major: 1, minor: 4 });
    expect(helloVersion(new TextEncoder().encode("RMSX\u0001\u0004"))).toBeUndefined();
    expect(helloVersion(new Uint8Array(5))).toBeUndefined();
  });

  it("ignore fields that this version does not know", () => {
    expect(decodeHello(hello({ shoe: { size: 44 } }))).toEqual(GREETING);
  });

  it.each<[string, { readonly [key: string]: Plain }]>([
    ["a node id with a space", { node: "a b" }],
    ["an instance that is no hex", { instance: "g".repeat(32) }],
    ["a short instance", { instance: "0".repeat(31) }],
    ["a cost of 0", { cost: 0 }],
    ["a negative cost", { cost: -1 }],
    ["an endless cost", { cost: Number.POSITIVE_INFINITY }],
    ["too many capabilities", { capabilities: Array.from({ length: 65 }, (_, i) => `c${i}`) }],
    ["a capability with a line break", { capabilities: ["a\nb"] }],
    ["critical that is no list", { critical: "seal" }],
    ["an address with a control character", { listening: ["tcp://x\u001b[2J"] }],
    ["a negative uptime", { uptime: -5 }],
    ["a flag that is a number", { leaf: 1 }],
    ["no version", { version: null }],
  ])("refuse %s", (_name, changes) => {
    expect(codeOf(() => decodeHello(hello(changes)))).toBe("PROTOCOL_ERROR");
  });

  it("refuse to make a greeting that its peer would refuse", () => {
    const listening = Array.from({ length: 30 }, (_, i) => `tcp://${"x".repeat(200)}:${i}`);
    expect(codeOf(() => encodeHello({ ...GREETING, listening }))).toBe("TOO_LARGE");
  });
});

describe("encodeKeepalive and decodeKeepalive", () => {
  it("give back the time exactly", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (time) => {
        expect(decodeKeepalive(encodeKeepalive(time))).toBe(time);
      }),
    );
  });

  it("read it out of the middle of a buffer", () => {
    const buffer = new Uint8Array(30);
    buffer.set(encodeKeepalive(1_234.5), 11);
    expect(decodeKeepalive(buffer.subarray(11, 19))).toBe(1_234.5);
  });

  it("refuse what is no time", () => {
    for (const body of [
      new Uint8Array(0),
      new Uint8Array(7),
      new Uint8Array(9),
      encodeKeepalive(Number.NaN),
      encodeKeepalive(Number.NEGATIVE_INFINITY),
    ]) {
      expect(codeOf(() => decodeKeepalive(body))).toBe("PROTOCOL_ERROR");
    }
  });
});

describe("encodeGoodbye and decodeGoodbye", () => {
  it("give back code, message and data", () => {
    const reason = new MeshError("DUPLICATE_NODE", "taken", { data: { address: "tcp://x:1", count: 2, ok: true, list: ["a", "b"] } });
    expect(decodeGoodbye(encodeGoodbye(reason))?.toJSON()).toEqual(reason.toJSON());
  });

  it("say that nothing is wrong with an empty body", () => {
    expect(encodeGoodbye(undefined)).toHaveLength(0);
    expect(decodeGoodbye(new Uint8Array(0))).toBeUndefined();
  });

  it("fit a greeting frame whatever the data", () => {
    const reason = new MeshError("BUSY", "x".repeat(10_000), { data: { long: "y".repeat(10_000) } });
    const body = encodeGoodbye(reason);
    expect(body.length).toBeLessThan(4_096);
    expect(decodeGoodbye(body)?.code).toBe("BUSY");
  });
});

describe("the decoders of hello, keepalive and goodbye", () => {
  it("end any body in a value or a typed error", () => {
    const valid = fc.constantFrom(encodeHello(GREETING), encodeKeepalive(5), encodeGoodbye(new MeshError("BUSY", "x", { data: { a: 1 } })));
    const damaged = fc.tuple(valid, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(200)).map(([bytes, at, changed, keep]) => {
      const copy = Uint8Array.from(bytes);
      copy[at % copy.length] = changed;
      return copy.subarray(0, Math.max(keep, 1));
    });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 100 })), (body) => {
        for (const read of [decodeHello, decodeKeepalive, decodeGoodbye, helloVersion] as const) {
          expect([undefined, "PROTOCOL_ERROR", "TOO_LARGE"]).toContain(codeOf(() => read(body)));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
