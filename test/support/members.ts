import { readFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { nodeId } from "../../src/core/ids.ts";
import { SILENT } from "../../src/core/log.ts";
import { decodeEnrolmentAnswer, encodeEnrolmentRequest } from "../../src/identity/enrolment.ts";
import { identityFiles } from "../../src/identity/paths.ts";
import { createToken, foundMesh, installCertificate, openSigner, ownKey } from "../../src/identity/folder.ts";
import { parseJoinToken } from "../../src/identity/join-token.ts";
import { isMeshId } from "../../src/identity/names.ts";
import { SIGNING_DEFAULTS } from "../../src/identity/signing.ts";
import type { NewToken } from "../../src/identity/token-store.ts";
import { createRequest } from "../../src/identity/x509.ts";

/** Makes a mesh in the data folder `hub`, whose node has the id "hub"; its certificates last for `validity` milliseconds. */
export async function found(hub: string, mesh = "00112233aabbccdd", validity = SIGNING_DEFAULTS.validity): Promise<void> {
  if (!isMeshId(mesh)) throw new TypeError(mesh);
  await foundMesh(hub, nodeId("hub"), mesh, Date.now(), SILENT, { ...SIGNING_DEFAULTS, validity });
}

/** Lets `id` into the mesh of the data folder `hub`, without a network between. */
export async function enrolled(hub: string, dataDir: string, id: string, wanted: Partial<NewToken> = {}): Promise<void> {
  const all: NewToken = { expires: Date.now() + 60_000, uses: 1, ids: ["*"], groups: ["*"], replace: false, ...wanted };
  const token = parseJoinToken((await createToken(hub, all, Date.now())).text);
  const signer = await openSigner(hub, SILENT);
  const request = await createRequest(await ownKey(dataDir));
  const { id: name, secret } = token;
  const answer = await signer?.answer(encodeEnrolmentRequest({ token: name, secret, node: nodeId(id), groups: [], request }), "test");
  const read = decodeEnrolmentAnswer(answer ?? new Uint8Array(0));
  if (read.type !== "issued") throw new TypeError(read.message);
  await installCertificate(dataDir, nodeId(id), token, read.certificate, readFileSync(identityFiles(hub).authority, "utf8"));
}

/** A bare TLS connection with the certificate of a data folder. */
export function connectAs(dataDir: string, url: string): TLSSocket {
  const { certificate, key, authority } = identityFiles(dataDir);
  return connect({
    host: "127.0.0.1",
    port: Number(new URL(url).port),
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ca: readFileSync(authority),
    checkServerIdentity: () => undefined,
  });
}
