import { createHash, X509Certificate } from "node:crypto";
import { fromUtf8, utf8 } from "../../src/core/bytes.ts";
import { nodeId } from "../../src/core/ids.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { createIdentifier, readCertificate } from "../../src/identity/certificate.ts";
import { DenyList } from "../../src/identity/deny-list.ts";
import {
  decodeEnrolmentAnswer,
  decodeEnrolmentRequest,
  encodeEnrolmentAnswer,
  encodeEnrolmentRequest,
} from "../../src/identity/enrolment.ts";
import { Holders } from "../../src/identity/holders.ts";
import { formatJoinToken, parseJoinToken } from "../../src/identity/join-token.ts";
import { isMeshId, type MeshId } from "../../src/identity/names.ts";
import { decodeRenewalRequest, encodeRenewalRequest } from "../../src/identity/renewal.ts";
import { readSigningKey } from "../../src/identity/signing-key.ts";
import { createAuthority, createKey, createRequest, signNode } from "../../src/identity/x509.ts";
import { Signatory } from "../../src/identity/signatory.ts";
import { NodeSignatures } from "../../src/node/membership/signatures.ts";
import { judgeAdvertisement } from "../../src/routing/proof.ts";
import { encodeAdvertisement } from "../../src/wire/advertisement.ts";
import { checkAdvertisement } from "../../src/wire/advertisement-layout.ts";
import { signAdvertisement } from "../../src/wire/advertisement-signature.ts";
import { advertisement } from "../integration/hostile/advertise.ts";
import type { Decoder } from "./decoders.ts";

/** All that read what somebody has written who wants in, or stays in: tokens, certificates, requests and lists, of a mesh made for it. */
export async function identityDecoders(): Promise<Readonly<Record<string, Decoder>>> {
  const mesh = meshId("0123456789abcdef");
  const now = Date.now();
  const authority = await createAuthority(mesh, { from: now - 60_000, to: now + 3_600_000 });
  const issuer = new X509Certificate(authority.certificate);
  const key = await createKey();
  const request = await createRequest(key);
  const leaf = await signNode(authority, request, {
    mesh,
    node: nodeId("a"),
    groups: ["*"],
    validity: { from: now - 60_000, to: now + 600_000 },
  });
  const token = "0123456789abcdef";
  const secret = new Uint8Array(20).fill(7);
  const join = formatJoinToken({
    mesh,
    authority: createHash("sha256").update(issuer.raw).digest(),
    id: token,
    secret,
    expires: Math.floor(now / 1_000) * 1_000,
  });
  const denied = DenyList.sign(
    mesh,
    3,
    { nodes: [{ node: nodeId("b"), before: 1, until: 2 }], serials: [{ serial: "0A", until: 9 }] },
    authority.key,
  );
  const renewal = encodeRenewalRequest({ certificate: new X509Certificate(leaf), request }, key);
  const own = new X509Certificate(leaf);
  const identifier = createIdentifier({ type: "mesh" }, own);
  const sealingKey = new Uint8Array(32);
  const signing = { certificate: own, key: readSigningKey(key, "it"), authorities: [issuer], identifier };
  const signatures = new NodeSignatures(new Signatory(signing, { wallClock: () => now, isRevoked: () => false }), sealingKey);
  const signed = signAdvertisement(encodeAdvertisement(advertisement("a", { credentials: signatures.credentials })), (all) =>
    signatures.sign(all),
  );
  return {
    "signed advertisement": {
      samples: [signed],
      read(bytes) {
        const forgery = judgeAdvertisement(signatures, bytes, checkAdvertisement(bytes));
        const isSame = bytes.length === signed.length && bytes.every((byte, at) => byte === signed[at]);
        if ((forgery === undefined) !== isSame) throw new Error(`it was judged as ${forgery}`);
      },
      codes: ["PROTOCOL_ERROR", "TOO_LARGE"],
      most: 2 * LIMITS.advertisement,
    },
    "certificate that a node shows": {
      samples: [own.raw],
      read: (bytes) => new Holders([issuer], identifier).read(bytes),
      codes: ["CERTIFICATE_INVALID"],
      most: 2 * LIMITS.certificate,
    },
    "join token": {
      samples: [utf8(join)],
      read: (bytes) => parseJoinToken(fromUtf8(bytes) ?? ""),
      codes: ["INVALID_ARGUMENT"],
      most: 4_096,
    },
    "enrolment request": {
      samples: [encodeEnrolmentRequest({ token, secret, node: nodeId("a"), groups: ["web"], request })],
      read: decodeEnrolmentRequest,
      codes: ["PROTOCOL_ERROR"],
      most: LIMITS.enrolment,
    },
    "enrolment answer": {
      samples: [
        encodeEnrolmentAnswer({ type: "issued", certificate: leaf }),
        encodeEnrolmentAnswer({ type: "refused", code: "TOKEN_REFUSED", message: "no", data: { reason: "expired" } }),
      ],
      read: decodeEnrolmentAnswer,
      codes: ["PROTOCOL_ERROR"],
      most: 16_384,
    },
    "renewal request": {
      samples: [renewal],
      read: (bytes) => decodeRenewalRequest(bytes, issuer),
      codes: ["PROTOCOL_ERROR", "CERTIFICATE_INVALID"],
      most: 2 * LIMITS.renewal,
    },
    "deny list": {
      samples: [utf8(denied.text)],
      read: (bytes) => DenyList.parse(bytes, issuer),
      codes: ["PROTOCOL_ERROR", "TOO_LARGE"],
      most: 2 * LIMITS.denyList,
    },
    certificate: {
      samples: [utf8(leaf)],
      read: (bytes) => readCertificate(Buffer.from(bytes), "it"),
      codes: ["CERTIFICATE_INVALID"],
      most: 16_384,
    },
  };
}

function meshId(text: string): MeshId {
  if (!isMeshId(text)) throw new Error(`${text} names no mesh`);
  return text;
}
