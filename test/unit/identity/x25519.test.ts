import * as crypto from "node:crypto";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { agree, agreementKey, createAgreementKey } from "../../../src/identity/x25519.ts";

vi.mock("node:crypto", async (original) => {
  const real = await original<typeof crypto>();
  return { ...real, diffieHellman: vi.fn(real.diffieHellman) };
});
beforeEach(() => vi.clearAllMocks());

/** The points of low order, as small as they are written and not (Bernstein and others, https://cr.yp.to/ecdh.html). */
const LOW_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

describe("agree", () => {
  it("gives both the same, and a third something else", () => {
    const [one, two, third] = [createAgreementKey(), createAgreementKey(), createAgreementKey()];
    const agreed = agree(one.key, two.shown);
    expect(agreed).toHaveLength(32);
    expect(agree(two.key, one.shown)).toEqual(agreed);
    expect(agree(third.key, two.shown)).not.toEqual(agreed);
  });

  it("reads a key where it lies in a longer array", () => {
    const [one, two] = [createAgreementKey(), createAgreementKey()];
    const frame = new Uint8Array(100).fill(7);
    frame.set(two.shown, 41);
    expect(agree(one.key, frame.subarray(41, 73))).toEqual(agree(one.key, two.shown));
  });

  it.each(LOW_ORDER)("refuses the point of low order %s, also with its unused bit set", (hex) => {
    const { key } = createAgreementKey();
    const point = new Uint8Array(Buffer.from(hex, "hex"));
    expect(agree(key, point)).toBeUndefined();
    point[31] = (point[31] ?? 0) | 0x80;
    expect(agree(key, point)).toBeUndefined();
  });

  it("refuses to agree on nothing but zeros, should OpenSSL not", () => {
    vi.mocked(crypto.diffieHellman).mockReturnValueOnce(Buffer.alloc(32));
    const [one, two] = [createAgreementKey(), createAgreementKey()];
    expect(agree(one.key, two.shown)).toBeUndefined();
    expect(agree(one.key, two.shown)).toHaveLength(32);
  });

  it("refuses keys of other lengths", () => {
    const { key } = createAgreementKey();
    for (const length of [0, 31, 33, 64]) expect(agree(key, new Uint8Array(length).fill(9))).toBeUndefined();
  });
});

describe("agreementKey", () => {
  it("shows the public half, as OpenSSL has it", () => {
    const { privateKey, publicKey } = crypto.generateKeyPairSync("x25519");
    const spki = publicKey.export({ type: "spki", format: "der" });
    expect(agreementKey(privateKey).shown).toEqual(new Uint8Array(spki.subarray(12)));
  });
});
