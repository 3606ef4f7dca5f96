import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { NodeCiphers } from "../../../src/identity/ciphers.ts";
import { Signatory, type SignatoryParts, type Signing } from "../../../src/identity/signatory.ts";
import { createAuthority, type KeyPair } from "../../../src/identity/x509.ts";
import { createAgreementKey } from "../../../src/identity/x25519.ts";
import { type Doubt, SEAL, type SealKey, type SignedClaim } from "../../../src/sealing/ports.ts";
import { meshOf, signingOf } from "../../support/signing.ts";

const DAY = 86_400_000;
const MESH = meshOf("00112233aabbccdd");
const INFO = utf8("from a to b");
const now = Date.now();
const PARTS: SignatoryParts = { wallClock: () => now, isRevoked: () => false };

let authority: KeyPair;
let other: KeyPair;
beforeAll(async () => {
  const validity = { from: now - 40 * DAY, to: now + 400 * DAY };
  authority = await createAuthority(MESH, validity);
  other = await createAuthority(MESH, validity);
});

interface Member {
  readonly ciphers: NodeCiphers;
  readonly signatory: Signatory;
  readonly shown: Uint8Array;
}

interface MemberOptions {
  readonly issuer?: KeyPair;
  readonly days?: number;
  readonly parts?: Partial<SignatoryParts>;
}

function signing(node: string, { issuer = authority, days }: MemberOptions = {}): Promise<Signing> {
  return signingOf(node, { mesh: MESH, issuer, trusts: authority, days });
}

async function member(node: string, options: MemberOptions = {}): Promise<Member> {
  const signatory = new Signatory(await signing(node, options), { ...PARTS, ...options.parts });
  const sealing = createAgreementKey();
  return { ciphers: new NodeCiphers(signatory, sealing), signatory, shown: sealing.shown };
}

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

describe("NodeCiphers.encapsulate", () => {
  it("gives a secret that the other end gets too, and another one each time", async () => {
    const [a, b] = [await member("a"), await member("b")];
    const [one, two] = [a.ciphers.encapsulate(b.shown, INFO), a.ciphers.encapsulate(b.shown, INFO)];
    if (one === undefined || two === undefined) throw new TypeError("no session");
    expect([one.encapsulated.length, one.secret.length]).toEqual([32, SEAL.secret]);
    expect(b.ciphers.decapsulate(one.encapsulated, INFO)).toEqual(one.secret);
    expect(b.ciphers.decapsulate(two.encapsulated, INFO)).toEqual(two.secret);
    expect(one.secret).not.toEqual(two.secret);
  });

  it("gives nobody else that secret, nor anybody who thinks that it is of something else", async () => {
    const [a, b, c] = [await member("a"), await member("b"), await member("c")];
    const { encapsulated, secret } = a.ciphers.encapsulate(b.shown, INFO) ?? {};
    if (encapsulated === undefined) throw new TypeError("no session");
    for (const got of [c.ciphers.decapsulate(encapsulated, INFO), b.ciphers.decapsulate(encapsulated, utf8("from a to c"))]) {
      expect(got).toHaveLength(SEAL.secret);
      expect(got).not.toEqual(secret);
    }
  });

  it("begins nothing to what is no usable key", async () => {
    const { ciphers } = await member("a");
    const one = Uint8Array.of(1, ...new Uint8Array(31));
    for (const key of [new Uint8Array(0), new Uint8Array(31).fill(9), new Uint8Array(33).fill(9), new Uint8Array(32), one]) {
      expect(ciphers.encapsulate(key, INFO)).toBeUndefined();
      expect(ciphers.decapsulate(key, INFO)).toBeUndefined();
    }
  });
});

describe("NodeCiphers.judge", () => {
  const SIGNED = utf8("what a says");

  function claimOf(of: Member, node: string, changes: Partial<SignedClaim> = {}): SignedClaim {
    return { node: nodeId(node), certificate: of.ciphers.certificate, signed: SIGNED, signature: of.ciphers.sign(SIGNED), ...changes };
  }

  function judge(by: Member, of: Member, node: string, changes: Partial<SignedClaim> = {}): Doubt | undefined {
    return by.ciphers.judge(claimOf(of, node, changes));
  }

  it("takes what a node has signed, or a command that runs with its certificate", async () => {
    const [judging, a] = [await member("judge"), await member("a")];
    expect(judge(judging, a, "a")).toBeUndefined();
    expect(judge(judging, a, "a:cli-0123456789ab")).toBeUndefined();
    expect(a.ciphers.sign(SIGNED).length).toBeLessThanOrEqual(SEAL.signature);
  });

  it("takes it for no other node", async () => {
    const [judging, a] = [await member("judge"), await member("a")];
    for (const node of ["b", "judge", "b:cli-0123456789ab", "a:cli-0123456789", "a:b"]) expect(judge(judging, a, node)).toBe("node");
  });

  it("takes no certificate of another authority, or that is none", async () => {
    const [judging, a] = [await member("judge"), await member("a")];
    expect(judge(judging, await member("a", { issuer: other }), "a")).toBe("certificate");
    for (const certificate of [new Uint8Array(0), new Uint8Array(500).fill(0x30), a.ciphers.certificate.subarray(0, -1)])
      expect(judge(judging, a, "a", { certificate })).toBe("certificate");
  });

  it("takes no signature of another key or of other bytes, nor what is none", async () => {
    const [judging, a, thief] = [await member("judge"), await member("a"), await member("thief")];
    expect(judge(judging, thief, "a", { certificate: a.ciphers.certificate })).toBe("signature");
    expect(judge(judging, a, "a", { signed: utf8("what b says") })).toBe("signature");
    for (const signature of [new Uint8Array(0), a.ciphers.sign(SIGNED).subarray(1), new Uint8Array(SEAL.signature)])
      expect(judge(judging, a, "a", { signature })).toBe("signature");
  });

  it("takes nothing under a certificate that was revoked, from then on", async () => {
    const revoked = new Set<string>();
    const judging = await member("judge", { parts: { isRevoked: ({ serialNumber }) => revoked.has(serialNumber) } });
    const a = await member("a");
    expect(judge(judging, a, "a")).toBeUndefined();
    revoked.add(new X509Certificate(a.ciphers.certificate).serialNumber);
    expect(judge(judging, a, "a")).toBe("revoked");
    expect(judge(judging, judging, "judge")).toBeUndefined();
  });

  it("takes nothing before or after a certificate's time, by this node's clock", async () => {
    let clock = now;
    const judging = await member("judge", { parts: { wallClock: () => clock } });
    const a = await member("a", { days: 1 });
    expect(judge(judging, a, "a")).toBeUndefined();
    clock = now + 2 * DAY;
    expect(judge(judging, a, "a")).toBe("time");
    clock = now - 31 * DAY;
    expect(judge(judging, a, "a")).toBe("time");
  });

  it("goes by the certificate and the authorities that the node has now", async () => {
    const [judging, a] = [await member("judge"), await member("a")];
    const before = a.ciphers.certificate;
    expect(a.ciphers.certificate).toBe(before);
    const next = await signing("a");
    a.signatory.replace(next);
    const { certificate } = a.ciphers;
    expect(certificate).toEqual(new Uint8Array(next.certificate.raw));
    expect(judge(judging, a, "a")).toBeUndefined();
    expect(judge(judging, a, "a", { certificate: before })).toBe("signature");
    a.signatory.replace(next);
    expect(a.ciphers.certificate).toBe(certificate);
    judging.signatory.replace({ ...(await signing("judge")), authorities: [new X509Certificate(other.certificate)] });
    expect(judge(judging, a, "a")).toBe("certificate");
  });
});

describe("NodeCiphers.hash", () => {
  it("is SHA-256, of FIPS 180-4's example", async () => {
    const { ciphers } = await member("a");
    expect(ciphers.hash(utf8("abc"))).toEqual(bytes("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  });
});

describe("NodeCiphers.nonce", () => {
  it("gives 100,000 that are all different, and leaves them as they were given", async () => {
    const { ciphers } = await member("a");
    const first = ciphers.nonce();
    const copy = first.slice();
    const seen = new Set<string>([Buffer.from(first).toString("latin1")]);
    for (let drawn = 1; drawn < 100_000; drawn++) {
      const nonce = ciphers.nonce();
      if (nonce.length !== SEAL.nonce) expect.fail(`a nonce of ${nonce.length} bytes`);
      seen.add(Buffer.from(nonce).toString("latin1"));
    }
    expect(seen.size).toBe(100_000);
    expect(first).toEqual(copy);
  });
});

describe("SealKey", () => {
  let ciphers: NodeCiphers;
  beforeAll(async () => {
    ({ ciphers } = await member("a"));
  });

  /** McGrew and Viega, "The Galois/Counter Mode of Operation", which NIST took over: test cases 13, 14 and 16, AES-256. */
  const ZERO = "00".repeat(32);
  const FEED = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
  const vectors = [
    { key: ZERO, nonce: "00".repeat(12), bound: "", plain: "", sealed: "530f8afbc74536b9a963b4f1c4cb738b" },
    {
      key: ZERO,
      nonce: "00".repeat(12),
      bound: "",
      plain: "00".repeat(16),
      sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    },
    {
      key: FEED,
      nonce: "cafebabefacedbaddecaf888",
      bound: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      sealed:
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
    },
  ];
  it.each(vectors)("seals and opens $plain as NIST does", ({ key, nonce, bound, plain, sealed }) => {
    const sealing = ciphers.key(bytes(key));
    const into = new Uint8Array(bytes(sealed).length);
    sealing.seal(bytes(nonce), bytes(bound), bytes(plain), into, 0);
    expect(into).toEqual(bytes(sealed));
    const text = new Uint8Array(bytes(plain).length);
    expect(sealing.open(bytes(nonce), bytes(bound), bytes(sealed), text, 0)).toBe(true);
    expect(text).toEqual(bytes(plain));
  });

  const NONCE = new Uint8Array(SEAL.nonce).fill(3);
  const BOUND = utf8("a header");
  const PLAIN = utf8("a text of some length");
  const newKey = (fill: number): SealKey => ciphers.key(new Uint8Array(SEAL.key).fill(fill));

  function sealed(by: SealKey, plain = PLAIN): Uint8Array {
    const into = new Uint8Array(plain.length + SEAL.tag);
    by.seal(NONCE, BOUND, plain, into, 0);
    return into;
  }

  it.each([0, 1, 300, 32 * 1_024])("writes %i bytes and their tag to their place, and to no other", (length) => {
    const [key, plain, at] = [newKey(1), new Uint8Array(length).fill(5), 7];
    const into = new Uint8Array(at + length + SEAL.tag + 9).fill(0xee);
    key.seal(NONCE, BOUND, plain, into, at);
    const end = at + length + SEAL.tag;
    expect([into.subarray(0, at), into.subarray(end)]).toEqual([new Uint8Array(at).fill(0xee), new Uint8Array(9).fill(0xee)]);
    const back = new Uint8Array(3 + length + 2).fill(0xee);
    expect(key.open(NONCE, BOUND, into.subarray(at, end), back, 3)).toBe(true);
    expect(back).toEqual(Uint8Array.of(0xee, 0xee, 0xee, ...plain, 0xee, 0xee));
  });

  it("leaves nothing of a large text to the collector", () => {
    const key = ciphers.key(new Uint8Array(32));
    const [nonce, bound, plain] = [new Uint8Array(12), new Uint8Array(0), new Uint8Array(32_768).fill(7)];
    const [sealed, opened] = [new Uint8Array(32_784), new Uint8Array(32_768)];
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 200; i++) {
      key.seal(nonce, bound, plain, sealed, 0);
      key.open(nonce, bound, sealed, opened, 0);
    }
    expect(Buffer.compare(opened, plain)).toBe(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2_000_000);
  });

  it("opens nothing in which a single bit of nonce, header, text or tag is another, and writes nothing of it", () => {
    const key = newKey(1);
    const frame = { nonce: NONCE, bound: BOUND, sealed: sealed(key) };
    const into = new Uint8Array(PLAIN.length);
    let flipped = 0;
    for (const [name, part] of Object.entries(frame)) {
      for (let bit = 0; bit < 8 * part.length; bit++) {
        const changed = part.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const change: Readonly<Record<string, Uint8Array>> = { [name]: changed };
        const { nonce, bound, sealed: text } = { ...frame, ...change };
        if (key.open(nonce, bound, text, into, 0)) expect.fail(`opens with bit ${bit} of ${name} flipped`);
        flipped++;
      }
    }
    expect(flipped).toBe(8 * (SEAL.nonce + BOUND.length + PLAIN.length + SEAL.tag));
    expect(into).toEqual(new Uint8Array(PLAIN.length));
    expect(key.open(frame.nonce, frame.bound, frame.sealed, into, 0)).toBe(true);
    expect(into).toEqual(PLAIN);
  });

  it("opens nothing that another key has sealed, that was cut or lengthened, or whose nonce has another length", () => {
    const key = newKey(1);
    const into = new Uint8Array(100);
    const whole = sealed(key);
    expect(newKey(2).open(NONCE, BOUND, whole, into, 0)).toBe(false);
    for (let length = 0; length < whole.length; length++) expect(key.open(NONCE, BOUND, whole.subarray(0, length), into, 0)).toBe(false);
    expect(key.open(NONCE, BOUND, Uint8Array.of(...whole, 0), into, 0)).toBe(false);
    for (const length of [0, 1, 11, 13, 16]) expect(key.open(new Uint8Array(length).fill(3), BOUND, whole, into, 0)).toBe(false);
  });

  it("is not changed by what becomes of the secret's array", () => {
    const secret = new Uint8Array(SEAL.key).fill(1);
    const key = ciphers.key(secret);
    secret.fill(0);
    expect(sealed(key)).toEqual(sealed(newKey(1)));
  });
});
