import { describe, expect, it } from "vitest";
import { TIMES } from "../../../src/core/limits.ts";
import { TokenBucket } from "../../../src/core/token-bucket.ts";
import { LIFE, SKEW } from "../../../src/sealing/session.ts";
import { FLAG, FRAME, OFFSET } from "../../../src/wire/frame.ts";
import { frameOf, Mesh, offerLength, partsOf, setHash } from "./support.ts";

const TTL = 20_000;
/** From the first frame of a session on, its frames with that time to live are taken for so long. */
const OPEN = LIFE + TTL + TIMES.late;
const KINDS = Object.values(FRAME).filter((kind) => kind >= 16);

/** a and b, each of which has heard that the other knows its session. */
function acquainted(): Mesh {
  const mesh = new Mesh(["a", "b", "c"]);
  const [a, b] = [mesh.end("a"), mesh.end("b")];
  for (let i = 0; i < 2; i++) {
    b.open(a.seal("b", { kind: FRAME.ack }));
    a.open(b.seal("a", { kind: FRAME.ack }));
  }
  return mesh;
}

describe("Sealing: a frame", () => {
  it.each(KINDS)("of kind %i comes out as it was written, but for the flag that relays set", (kind) => {
    const mesh = new Mesh(["a", "b"]);
    const body = Uint8Array.from({ length: 5_000 }, (_, i) => i & 0xff);
    const sealed = mesh.end("a").seal("b", { kind, body, flags: FLAG.resent });
    expect(sealed?.[OFFSET.flags]).toBe(FLAG.resent | FLAG.sealed);
    expect(Buffer.from(sealed ?? []).includes(Buffer.from(body.subarray(0, 8)))).toBe(false);
    expect(mesh.end("b").open(sealed)).toEqual(frameOf("a", "b", { kind, body, flags: FLAG.resent }));
    expect(mesh.end("b").unopened).toEqual([]);
  });

  it("with no body, or in the midst of other bytes, comes out as it was written", () => {
    const mesh = new Mesh(["a", "b"]);
    const frame = frameOf("a", "b", { kind: FRAME.confirm });
    const among = new Uint8Array(frame.length + 20);
    among.set(frame, 9);
    const { sealing } = mesh.end("a");
    const sealed = sealing.seal(mesh.now, among, 9, 9 + frame.length);
    const around = new Uint8Array(1_000);
    around.set(sealed?.bytes.subarray(sealed.start, sealed.end) ?? [], 33);
    const end = 33 + (sealed === undefined ? 0 : sealed.end - sealed.start);
    const { rates } = mesh.end("b");
    const opened = mesh.end("b").sealing.open(mesh.now, rates, { bytes: around, view: new DataView(around.buffer), start: 33, end });
    expect(opened?.bytes.slice(opened.start, opened.end)).toEqual(frame);
  });

  it("may lose time, hops and custody on its way, and has the time to live that its sender gave it", () => {
    const mesh = new Mesh(["a", "b"]);
    const sealed = mesh.end("a").seal("b", { ttl: TTL }) ?? new Uint8Array(0);
    const view = new DataView(sealed.buffer);
    view.setUint32(OFFSET.ttl, 4);
    view.setUint8(OFFSET.hops, 9);
    view.setUint8(OFFSET.flags, view.getUint8(OFFSET.flags) | FLAG.custody);
    const opened = mesh.end("b").open(sealed);
    expect(opened?.[OFFSET.hops]).toBe(9);
    expect(opened?.[OFFSET.flags]).toBe(0);
    expect(new DataView(opened?.buffer ?? new ArrayBuffer(48)).getUint32(OFFSET.ttl)).toBe(TTL);
  });

  it("of which any other bit was turned is not opened, under a session that is known and under one that is not", () => {
    for (const known of [true, false]) {
      const mesh = known ? acquainted() : new Mesh(["a", "b", "c"]);
      const [a, b] = [mesh.end("a"), mesh.end("b")];
      b.rates = { begin: new TokenBucket(1, 1e6), answer: new TokenBucket(1, 1e6) };
      const sealed = a.seal("b", { flags: FLAG.durable }) ?? new Uint8Array(0);
      const taken: number[] = [];
      for (let bit = 8 * OFFSET.kind; bit < 8 * sealed.length; bit++) {
        const turned = sealed.slice();
        turned[bit >> 3] = (turned[bit >> 3] as number) ^ (1 << (bit & 7));
        const before = b.unopened.length;
        try {
          if (b.open(turned) !== undefined) taken.push(bit);
          else expect(b.unopened).toHaveLength(before + 1);
        } catch (error) {
          expect(error).toMatchObject({ code: "PROTOCOL_ERROR" });
        }
      }
      const free = (bit: number): boolean =>
        bit >> 3 === OFFSET.hops || (bit >> 3 >= OFFSET.ttl && bit >> 3 < OFFSET.ttl + 4) || bit === 8 * OFFSET.flags + 4;
      expect(taken.filter((bit) => !free(bit))).toEqual([]);
      expect(taken).toHaveLength(8 + 32 + 1);
      expect(b.open(sealed)).toBeDefined();
    }
  }, 30_000);

  it("has a nonce that no other has, of whatever session and life", () => {
    const mesh = acquainted();
    const nonces = new Set<string>();
    for (let i = 0; i < 300; i++) {
      if (i % 50 === 0) mesh.end("a").restarted();
      const sealed = mesh.end("a").seal(i % 3 === 0 ? "c" : "b") ?? new Uint8Array(0);
      const { nonceAt, textAt } = partsOf(sealed);
      nonces.add(Buffer.from(sealed.subarray(nonceAt, textAt)).toString("hex"));
    }
    expect(nonces.size).toBe(300);
  });

  it("that is too short for what it says is a protocol error", () => {
    const mesh = new Mesh(["a", "b"]);
    const sealed = mesh.end("a").seal("b", { kind: FRAME.ack }) ?? new Uint8Array(0);
    expect(() => mesh.end("b").open(sealed.slice(0, 70))).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
    expect(() => mesh.end("b").open(sealed.slice(0, partsOf(sealed).textAt))).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
  });
});

describe("Sealing: a session", () => {
  it("is told whole until the other end says that it knows it; then only messages tell it, and durable ones with the certificate", () => {
    const mesh = new Mesh(["a", "b"]);
    const [a, b] = [mesh.end("a"), mesh.end("b")];
    const whole = offerLength(a.seal("b", { kind: FRAME.ack }));
    expect(offerLength(a.seal("b", { kind: FRAME.data }))).toBe(whole);
    b.open(a.seal("b", { kind: FRAME.ack }));
    a.open(b.seal("a", { kind: FRAME.ack }));
    expect(offerLength(a.seal("b", { kind: FRAME.ack }))).toBe(0);
    const short = offerLength(a.seal("b", { kind: FRAME.message }));
    expect(short).toBeGreaterThan(0);
    expect(short).toBeLessThan(whole);
    expect(offerLength(a.seal("b", { kind: FRAME.message, flags: FLAG.durable }))).toBe(whole);
  });

  it("of a command is told whole with each message, as its certificate may not be found later", () => {
    const mesh = new Mesh(["a", "b"]);
    const [a, b] = [mesh.end("a"), mesh.end("b")];
    a.restarted({ ephemeral: true });
    const whole = offerLength(a.seal("b"));
    b.open(a.seal("b"));
    a.open(b.seal("a"));
    expect(offerLength(a.seal("b"))).toBe(whole);
    expect(offerLength(a.seal("b", { kind: FRAME.ack }))).toBe(0);
  });

  it("that the other end has lost in a restart is asked after, and told whole again when that end says so", () => {
    const mesh = acquainted();
    const [a, b] = [mesh.end("a"), mesh.end("b")];
    b.restarted();
    expect(b.open(a.seal("b", { kind: FRAME.ack }))).toBeUndefined();
    expect(b.unopened).toEqual(["session"]);
    expect(b.asked).toBe(1);
    expect(a.open(b.seal("a", { kind: FRAME.unopened }))).toBeDefined();
    const again = a.seal("b", { kind: FRAME.ack });
    expect(offerLength(again)).toBeGreaterThan(0);
    expect(b.open(again)).toBeDefined();
  });

  it("that the other end has lost is begun by a message alone, whose certificate it finds, or asks for", () => {
    for (const unknown of [false, true]) {
      const mesh = acquainted();
      const [a, b] = [mesh.end("a"), mesh.end("b")];
      const message = a.seal("b");
      b.restarted();
      if (unknown) mesh.unknown.add("a");
      expect(b.open(message) === undefined).toBe(unknown);
      expect(b.unopened).toEqual(unknown ? ["certificate"] : []);
      expect(b.asked).toBe(unknown ? 1 : 0);
    }
  });

  it("is another one after 15 minutes, when it is forgotten, and with another certificate", () => {
    const mesh = acquainted();
    const a = mesh.end("a");
    const name = (): string => {
      const sealed = a.seal("b") ?? new Uint8Array(0);
      return JSON.stringify(partsOf(sealed).session);
    };
    const names = [name()];
    mesh.now += LIFE - 1_000;
    expect(name()).toBe(names[0]);
    mesh.now += 1_001;
    names.push(name());
    a.sealing.sending.forget(partsOfDestination("b").high, partsOfDestination("b").low);
    names.push(name());
    expect(new Set(names).size).toBe(3);
    expect(a.sealing.sending.size).toBe(1);
  });

  it("of before is still open when its sender goes over to another, of four at once", () => {
    const mesh = new Mesh(["a", "b"]);
    const [a, b] = [mesh.end("a"), mesh.end("b")];
    const old = Array.from({ length: 6 }, () => {
      a.restarted();
      b.open(a.seal("b", { kind: FRAME.ack }));
      a.open(b.seal("a", { kind: FRAME.ack }));
      return a.seal("b", { kind: FRAME.ack });
    });
    expect(old.map(offerLength)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(old.toReversed().map((frame) => b.open(frame) !== undefined)).toEqual([true, true, true, true, false, false]);
    expect(b.unopened).toEqual(["session", "session"]);
  });

  it("is judged anew after `clear`, and its first frame is not forgotten by that", () => {
    const mesh = new Mesh(["a", "b"]);
    const [a, b] = [mesh.end("a"), mesh.end("b")];
    const first = a.seal("b", { ttl: TTL });
    b.open(first);
    b.sealing.receiving.clear();
    b.ciphers.doubt = () => "revoked";
    expect(b.open(first)).toBeUndefined();
    b.ciphers.doubt = () => undefined;
    mesh.now += OPEN + 1;
    expect(b.open(first)).toBeUndefined();
    expect(b.unopened).toEqual(["revoked", "late"]);
  });
});

describe("Sealing: a copy from long ago", () => {
  it("is taken for its time to live, what may be late, and the life of its session, and then not", () => {
    const mesh = new Mesh(["a", "b"]);
    const [a, b] = [mesh.end("a"), mesh.end("b")];
    const old = a.seal("b", { ttl: TTL });
    expect(b.open(old)).toBeDefined();
    mesh.now += OPEN;
    expect(b.open(old)).toBeDefined();
    mesh.now += 1;
    expect(b.open(old)).toBeUndefined();
    expect(b.unopened).toEqual(["late"]);
  });

  it("is late also where the session was forgotten meanwhile, until its age alone tells", () => {
    const mesh = new Mesh(["a", "b"]);
    const [a, b] = [mesh.end("a"), mesh.end("b")];
    const old = a.seal("b", { ttl: TTL });
    b.open(old);
    for (const [later, why] of [
      [OPEN + 120_000, "late"],
      [OPEN + SKEW - 1, "late"],
      [OPEN + SKEW + 1, "clock"],
      [OPEN + 3 * SKEW, "clock"],
    ] as const) {
      mesh.now = 1_000 + later;
      expect(b.open(old)).toBeUndefined();
      expect(b.unopened.at(-1)).toBe(why);
    }
    expect(b.sealing.receiving.size).toBe(0);
  });

  it("that is honest is taken after a restart, hours after it was sealed, if it had so much time to live", () => {
    const mesh = new Mesh(["a", "b"]);
    const ttl = 6 * 3_600_000;
    const parked = mesh.end("a").seal("b", { ttl, flags: FLAG.durable });
    mesh.now += ttl + TIMES.late;
    mesh.end("b").restarted();
    expect(mesh.end("b").open(parked)).toBeDefined();
  });
});

describe("Sealing: clocks", () => {
  it.each([
    [SKEW, true],
    [-SKEW, true],
    [SKEW + 1_000, false],
    [-SKEW - LIFE - TTL - TIMES.late - 1_000, false],
  ])("of a sender that is %i ms ahead: a session is taken, %s", (offset, taken) => {
    const mesh = new Mesh(["a", "b"]);
    mesh.end("a").wallOffset = offset;
    const sealed = mesh.end("a").seal("b", { ttl: TTL });
    expect(mesh.end("b").open(sealed) !== undefined).toBe(taken);
    expect(mesh.end("b").unopened).toEqual(taken ? [] : ["clock"]);
  });
});

describe("Sealing: what is not opened", () => {
  it("is what stands in plain text, where sealing is required", () => {
    const plain = frameOf("a", "b", {});
    for (const [mode, taken] of [
      ["required", false],
      ["preferred", true],
      ["off", true],
    ] as const) {
      const b = new Mesh(["a", "b"], mode).end("b");
      expect(b.open(plain) !== undefined).toBe(taken);
      expect(b.unopened).toEqual(taken ? [] : ["plain"]);
    }
  });

  it("is what another has sealed than it says, under a session of its own or of that other", () => {
    const mesh = acquainted();
    const [b, c] = [mesh.end("b"), mesh.end("c")];
    const disguised = c.seal("b") ?? new Uint8Array(0);
    setHash(new DataView(disguised.buffer), OFFSET.source, "a");
    expect(b.open(disguised)).toBeUndefined();
    const model = mesh.end("a").seal("b", { flags: FLAG.durable }) ?? new Uint8Array(0);
    const copied = model.slice();
    copied.fill(7, partsOf(copied).textAt);
    expect(b.open(copied)).toBeUndefined();
    expect(b.unopened).toEqual(["sender", "text"]);
    expect(b.open(model)).toBeDefined();
  });

  it("is what was sealed for another node", () => {
    const mesh = new Mesh(["a", "b", "c"]);
    const astray = mesh.end("a").seal("c") ?? new Uint8Array(0);
    setHash(new DataView(astray.buffer), OFFSET.destination, "b");
    expect(mesh.end("b").open(astray)).toBeUndefined();
    expect(mesh.end("b").unopened).toEqual(["signature"]);
  });

  it.each(["certificate", "node", "signature", "revoked", "time"] as const)("is what the authority's word is against: %s", (doubt) => {
    const mesh = new Mesh(["a", "b"]);
    const b = mesh.end("b");
    b.ciphers.doubt = () => doubt;
    expect(b.open(mesh.end("a").seal("b"))).toBeUndefined();
    expect(b.unopened).toEqual([doubt]);
    // The other end can only tell its certificate again.
    expect(b.asked).toBe(doubt === "certificate" ? 1 : 0);
    expect(b.sealing.receiving.size).toBe(0);
  });

  it("is what offers a key that is none, though its sender has signed it", () => {
    const mesh = new Mesh(["a", "b"]);
    const [a, b] = [mesh.end("a"), mesh.end("b")];
    a.restarted({ ciphers: withNoKey(a.ciphers) });
    expect(b.open(a.seal("b"))).toBeUndefined();
    expect(b.unopened).toEqual(["key"]);
  });

  it("is more than a link may begin, or ask, at once; what is known goes on", () => {
    const mesh = new Mesh(["a", "b", "c"]);
    const [a, b, c] = [mesh.end("a"), mesh.end("b"), mesh.end("c")];
    b.rates = { begin: new TokenBucket(0.001, 1), answer: new TokenBucket(0.001, 1) };
    expect(b.open(a.seal("b"))).toBeDefined();
    expect(b.open(c.seal("b"))).toBeUndefined();
    expect(b.unopened).toEqual(["rate"]);
    expect(b.open(a.seal("b"))).toBeDefined();
    a.open(b.seal("a"));
    b.restarted();
    for (let i = 0; i < 3; i++) b.open(a.seal("b", { kind: FRAME.ack }));
    expect(b.unopened).toEqual(["rate", "session", "session", "session"]);
    expect(b.asked).toBe(1);
  });

  it("is one session more than are remembered", () => {
    const mesh = new Mesh(["a", "b"]);
    const { receiving } = mesh.end("b").restarted({ remembered: 1_000 });
    const key = mesh.end("b").ciphers.key(new Uint8Array(32));
    for (let i = 0; i < 1_000; i++) {
      const session = receiving.begin(mesh.now, { sender: mesh.end("a").id, high: i, low: 1, key }, { high: i & 1023, low: 2 });
      receiving.heard(mesh.now, session, 0);
    }
    expect(mesh.end("b").open(mesh.end("a").seal("b"))).toBeUndefined();
    expect(mesh.end("b").unopened).toEqual(["full"]);
    mesh.now += 4 * SKEW;
    expect(mesh.end("b").open(mesh.end("a").seal("b"))).toBeDefined();
    expect(receiving.size).toBe(1);
  });
});

describe("Sealing: what leaves", () => {
  it("for a node of which no key is known stays, or leaves as it is where sealing is only preferred", () => {
    for (const mode of ["required", "preferred"] as const) {
      const mesh = new Mesh(["a", "b"], mode);
      mesh.unknown.add("b");
      expect(mesh.end("a").seal("b")?.[OFFSET.flags]).toBe(mode === "required" ? undefined : 0);
      mesh.unknown.clear();
      expect(mesh.end("a").seal("b")?.[OFFSET.flags]).toBe(FLAG.sealed);
    }
  });

  it("is as it was written where sealing is off; what comes sealed is opened all the same", () => {
    const mesh = new Mesh(["a", "b"], "off");
    expect(mesh.end("a").seal("b", { body: Uint8Array.of(9) })).toEqual(frameOf("a", "b", { body: Uint8Array.of(9) }));
    mesh.end("a").restarted();
    expect(mesh.end("b").open(mesh.end("a").seal("b"))).toBeDefined();
  });
});

function partsOfDestination(name: string): { readonly high: number; readonly low: number } {
  const view = new DataView(new ArrayBuffer(8));
  setHash(view, 0, name);
  return { high: view.getUint32(0), low: view.getUint32(4) };
}

function withNoKey(ciphers: ReturnType<Mesh["end"]>["ciphers"]): ReturnType<Mesh["end"]>["ciphers"] {
  return Object.create(ciphers, {
    encapsulate: { value: () => ({ encapsulated: new Uint8Array(32), secret: new Uint8Array(32).fill(1) }) },
    certificate: { value: ciphers.certificate },
    sign: { value: (bytes: Uint8Array) => ciphers.sign(bytes) },
    hash: { value: (bytes: Uint8Array) => ciphers.hash(bytes) },
    key: { value: (secret: Uint8Array) => ciphers.key(secret) },
    nonce: { value: () => ciphers.nonce() },
  });
}
