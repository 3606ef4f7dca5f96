import { createPrivateKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { decapsulate, encapsulate, exportSecret, setupReceiver, setupSender } from "../../../src/identity/hpke.ts";
import { type AgreementKey, agreementKey, createAgreementKey } from "../../../src/identity/x25519.ts";

/** RFC 9180, A.7.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export-only; base mode. */
const A7 = {
  info: bytes("4f6465206f6e2061204772656369616e2055726e"),
  pkEm: bytes("e5e8f9bfff6c2f29791fc351d2c25ce1299aa5eaca78a757c0b4fb4bcd830918"),
  skEm: bytes("095182b502f1f91f63ba584c7c3ec473d617b8b4c2cec3fad5af7fa6748165ed"),
  pkRm: bytes("194141ca6c3c3beb4792cd97ba0ea1faff09d98435012345766ee33aae2d7664"),
  skRm: bytes("33d196c830a12f9ac65d6e565a590d80f04ee9b19c83c87f2c170d972a812848"),
  enc: bytes("e5e8f9bfff6c2f29791fc351d2c25ce1299aa5eaca78a757c0b4fb4bcd830918"),
  sharedSecret: bytes("e81716ce8f73141d4f25ee9098efc968c91e5b8ce52ffff59d64039e82918b66"),
  exporterSecret: bytes("79dc8e0509cf4a3364ca027e5a0138235281611ca910e435e8ed58167c72f79b"),
  exported: {
    "": bytes("7a36221bd56d50fb51ee65edfd98d06a23c4dc87085aa5866cb7087244bd2a36"),
    "00": bytes("d5535b87099c6c3ce80dc112a2671c6ec8e811a2f284f948cec6dd1708ee33f0"),
    "54657374436f6e74657874": bytes("ffaabc85a776136ca0c378e5d084c9140ab552b78f039d2e8775f26efff4c70e"),
  },
};

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

function keyOf(secret: Uint8Array, shown: Uint8Array): AgreementKey {
  const text = (part: Uint8Array): string => Buffer.from(part).toString("base64url");
  return agreementKey(createPrivateKey({ key: { kty: "OKP", crv: "X25519", d: text(secret), x: text(shown) }, format: "jwk" }));
}

const sender = keyOf(A7.skEm, A7.pkEm);
const receiver = keyOf(A7.skRm, A7.pkRm);

describe("encapsulate and decapsulate", () => {
  it("agree on the shared secret of RFC 9180, A.7.1", () => {
    expect(encapsulate(A7.pkRm, sender)).toEqual(A7.sharedSecret);
    expect(decapsulate(A7.enc, receiver)).toEqual(A7.sharedSecret);
  });
});

describe("setupSender", () => {
  it("makes what RFC 9180, A.7.1 has", () => {
    expect(setupSender(A7.pkRm, A7.info, sender)).toEqual({ encapsulated: A7.enc, exporter: A7.exporterSecret });
  });

  it("makes another one each time", () => {
    const [one, two] = [setupSender(A7.pkRm, A7.info), setupSender(A7.pkRm, A7.info)];
    expect(one?.encapsulated).not.toEqual(two?.encapsulated);
    expect(one?.exporter).not.toEqual(two?.exporter);
  });

  it("refuses what is no usable key", () => {
    for (const length of [0, 31, 33]) expect(setupSender(new Uint8Array(length).fill(9), A7.info)).toBeUndefined();
    expect(setupSender(new Uint8Array(32), A7.info)).toBeUndefined();
  });
});

describe("setupReceiver", () => {
  it("makes what RFC 9180, A.7.1 has", () => {
    expect(setupReceiver(A7.enc, receiver, A7.info)).toEqual(A7.exporterSecret);
  });

  it("makes what the sender has, and nobody else", () => {
    const [own, other] = [createAgreementKey(), createAgreementKey()];
    const sent = setupSender(own.shown, A7.info);
    const encapsulated = sent?.encapsulated ?? new Uint8Array(0);
    expect(setupReceiver(encapsulated, own, A7.info)).toEqual(sent?.exporter);
    expect(setupReceiver(encapsulated, other, A7.info)).not.toEqual(sent?.exporter);
    expect(setupReceiver(encapsulated, own, A7.info.subarray(1))).not.toEqual(sent?.exporter);
  });

  it("refuses what is no usable key", () => {
    for (const length of [0, 31, 33]) expect(setupReceiver(new Uint8Array(length).fill(9), receiver, A7.info)).toBeUndefined();
    expect(setupReceiver(new Uint8Array(32), receiver, A7.info)).toBeUndefined();
  });
});

describe("exportSecret", () => {
  it.each(Object.entries(A7.exported))("gives for the context '%s' what RFC 9180, A.7.1 has", (context, exported) => {
    expect(exportSecret(A7.exporterSecret, bytes(context))).toEqual(exported);
  });
});
