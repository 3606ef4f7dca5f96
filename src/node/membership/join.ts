import type { NodeConfig } from "../../config/node-config.ts";
import { isMeshError, MeshError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import { namesOf } from "../../identity/certificate.ts";
import { decodeEnrolmentAnswer, encodeEnrolmentRequest, ENROLMENT } from "../../identity/enrolment.ts";
import { installCertificate, isAuthorityOf, ownKey, readIdentity, RENEW_BEFORE } from "../../identity/folder.ts";
import { type JoinToken, parseJoinToken } from "../../identity/join-token.ts";
import { refusedToken } from "../../identity/judge.ts";
import { askListener, seenCertificates } from "../../transports/ask.ts";
import { formatMeshUrl, type MeshUrl, parseMeshUrl } from "../../transports/url.ts";
import { makeDataDir } from "../data-dir.ts";
import { resolveNodeId } from "../node-id.ts";

/** How often the peers are tried, and how long to wait between: the one that signs may be starting. */
const TRIES = 5;
const PAUSE = 1_000;
/** A certificate and what is around it. */
const LONGEST_ANSWER = 16 * 1024;

export interface JoinOptions {
  /** As for `createNode`: its peers are asked, and its data folder keeps the certificate. */
  readonly config: NodeConfig;
  /** The text of a join token. */
  readonly token: string;
  readonly signal: AbortSignal;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export interface Joined {
  readonly mesh: string;
  readonly node: string;
  /** False: the data folder had a certificate, and nobody was asked. */
  readonly asked: boolean;
}

/**
 * Gets this node its certificate: asks the peers in turn, and trusts none that does not show the authority that the token names. A node
 * that has one which lasts for 30 days more asks nobody. Rejects with TOKEN_REFUSED, DENIED, INVALID_ARGUMENT, CONFIG_INVALID or
 * CERTIFICATE_INVALID; with why the last peer did not answer, after 5 tries.
 */
export async function join({ config, token: text, signal, sleep }: JoinOptions): Promise<Joined> {
  const token = parseJoinToken(text);
  const dataDir = dataDirOf(config);
  const had = await readIdentity(dataDir);
  if (had !== undefined && had.mesh !== token.mesh) {
    throw refusedToken(
      "other-mesh",
      `${dataDir} belongs to node "${had.node}" of mesh ${had.mesh}, and the join token is of mesh ${token.mesh}: name another data folder`,
    );
  }
  if (had !== undefined && had.until - Date.now() > RENEW_BEFORE) return { mesh: had.mesh, node: had.node, asked: false };
  if (token.expires <= Date.now())
    throw refusedToken("expired", `the join token has expired on ${new Date(token.expires).toISOString()}: ask for a new one`);
  const peers = signers(config);
  await makeDataDir(dataDir);
  const node = await resolveNodeId(config.id ?? had?.node, dataDir);
  const { createRequest } = await import("../../identity/x509.ts");
  const question = encodeEnrolmentRequest({
    token: token.id,
    secret: token.secret,
    node,
    groups: config.groups,
    request: await createRequest(await ownKey(dataDir)),
  });
  let last: MeshError | undefined;
  for (let round = 1; round <= TRIES; round++) {
    if (round > 1) await sleep(PAUSE, signal);
    for (const url of peers) {
      try {
        await enrol(url, { dataDir, node, token, question, signal });
        return { mesh: token.mesh, node, asked: true };
      } catch (error) {
        if (!isMeshError(error) || !PASSING.has(error.code) || signal.aborted) throw error;
        last = error;
      }
    }
    if (last?.code === "UNSUPPORTED") break;
  }
  throw last ?? new MeshError("CONNECT_FAILED", "no peer could be asked");
}

/** What another peer, or the same one later, may do better. */
const PASSING: ReadonlySet<string> = new Set(["CONNECT_FAILED", "TIMEOUT", "PROTOCOL_ERROR", "UNSUPPORTED"]);

interface Enrolment {
  readonly dataDir: string;
  readonly node: NodeId;
  readonly token: JoinToken;
  readonly question: Uint8Array;
  readonly signal: AbortSignal;
}

async function enrol(url: MeshUrl, { dataDir, node, token, question, signal }: Enrolment): Promise<void> {
  const conversation = { protocol: ENROLMENT, signal };
  const shown = await seenCertificates(url, conversation);
  const authority = shown.find((certificate) => isAuthorityOf(token, certificate))?.toString();
  if (authority === undefined)
    throw refusedToken(
      "other-mesh",
      `${formatMeshUrl(url)} is not of the mesh that the join token is for: check the address, or ask for another token`,
    );
  const answer = await askListener(
    url,
    {
      authority,
      question,
      limit: LONGEST_ANSWER,
      check(certificate) {
        if (namesOf(certificate).mesh !== token.mesh)
          throw refusedToken("other-mesh", `${formatMeshUrl(url)} is of another mesh than the join token`);
      },
    },
    conversation,
  );
  const read = decodeEnrolmentAnswer(answer);
  if (read.type === "refused") throw new MeshError(read.code, `${formatMeshUrl(url)}: ${read.message}`, { data: read.data });
  await installCertificate(dataDir, node, token, read.certificate, authority);
}

function signers(config: NodeConfig): readonly MeshUrl[] {
  if (config.tls.cert !== undefined && config.dataDir !== undefined && !config.tls.cert.startsWith(config.dataDir))
    throw new MeshError("CONFIG_INVALID", "a join token has no use where tls.cert names a certificate: leave out one of them");
  if (config.peers.length === 0) throw new MeshError("INVALID_ARGUMENT", "a join token needs a peer to ask: --peer HOST:PORT");
  return config.peers.map((text) => {
    const url = parseMeshUrl(text, "tls");
    if (url.scheme === "tls" || url.scheme === "wss") return url;
    throw new MeshError("INVALID_ARGUMENT", `${text} is plain, and a mesh is joined over TLS: use tls:// or HOST:PORT`);
  });
}

function dataDirOf(config: NodeConfig): string {
  if (config.dataDir !== undefined) return config.dataDir;
  throw new MeshError("CONFIG_INVALID", "a node that joins a mesh needs a data folder, for its certificate");
}
