import { createPrivateKey, sign, verify, type X509Certificate } from "node:crypto";
import { fromUtf8, utf8 } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import { isNodeId, type NodeId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import { namesOf, spanOf } from "./certificate.ts";
import { isMeshId, type MeshId } from "./names.ts";

/** What the authority signs in a list, so that nothing that it signs elsewhere is one. */
const PURPOSE = "receptor-denied/1\n";
const SERIAL = /^[0-9A-F]{1,64}$/;
const SIGNATURE = /^[A-Za-z0-9_-]{1,1024}$/;

/** All certificates of a node that begin at `before` or earlier. Seconds since 1970. */
export interface DeniedNode {
  readonly node: NodeId;
  readonly before: number;
  /** When the last of them has ended, so that the entry may go. */
  readonly until: number;
}

/** One certificate. */
export interface DeniedSerial {
  /** Hexadecimal, in capitals. */
  readonly serial: string;
  readonly until: number;
}

export interface Denied {
  readonly nodes: readonly DeniedNode[];
  readonly serials: readonly DeniedSerial[];
}

/** The certificates of a mesh that do not hold any more, as its authority has numbered and signed them. */
export class DenyList {
  readonly mesh: MeshId;
  /** A list replaces those of smaller numbers. */
  readonly number: number;
  /** As it travels and is kept. */
  readonly text: string;
  readonly #nodes: ReadonlyMap<string, DeniedNode>;
  readonly #serials: ReadonlyMap<string, DeniedSerial>;

  private constructor(mesh: MeshId, number: number, { nodes, serials }: Denied, text: string) {
    this.mesh = mesh;
    this.number = number;
    this.text = text;
    this.#nodes = new Map(nodes.map((entry) => [entry.node, entry]));
    this.#serials = new Map(serials.map((entry) => [entry.serial, entry]));
  }

  get denied(): Denied {
    return { nodes: [...this.#nodes.values()], serials: [...this.#serials.values()] };
  }

  /** Signs a list; `key`: the authority's, in PEM. Throws TOO_LARGE where it has too many entries. */
  static sign(mesh: MeshId, number: number, denied: Denied, key: string): DenyList {
    const nodes = denied.nodes.map(({ node, before, until }) => [node, before, until]);
    const serials = denied.serials.map(({ serial, until }) => [serial, until]);
    const content = JSON.stringify({ mesh, number, nodes, serials });
    const signature = sign("sha256", utf8(PURPOSE + content), createPrivateKey(key)).toString("base64url");
    const text = `${content}\n${signature}\n`;
    if (text.length > LIMITS.denyList)
      throw new MeshError(
        "TOO_LARGE",
        `a list of ${nodes.length + serials.length} revoked certificates is over the limit of ${LIMITS.denyList} bytes`,
      );
    return new DenyList(mesh, number, denied, text);
  }

  /** Reads a list that `authority` has signed. Throws TOO_LARGE or PROTOCOL_ERROR; nothing of `text` is read before its size and signature. */
  static parse(text: string | Uint8Array, authority: X509Certificate): DenyList {
    if (text.length > LIMITS.denyList) throw new MeshError("TOO_LARGE", `a list of revoked certificates has ${text.length} bytes`);
    const [content, signature, ...rest] = (typeof text === "string" ? text : (fromUtf8(text) ?? "")).split("\n");
    if (content === undefined || signature === undefined || !SIGNATURE.test(signature) || rest.join("") !== "") throw malformed();
    if (!verify("sha256", utf8(PURPOSE + content), authority.publicKey, Buffer.from(signature, "base64url")))
      throw new MeshError("PROTOCOL_ERROR", "a list of revoked certificates is not signed by the authority of the mesh");
    return read(content, (mesh, number, denied) => new DenyList(mesh, number, denied, `${content}\n${signature}\n`));
  }

  /** Why a certificate of the mesh does not hold; undefined: the list says nothing against it. */
  refuses(certificate: X509Certificate): MeshError | undefined {
    const { node } = namesOf(certificate);
    const entry = this.#nodes.get(node);
    const out = entry !== undefined && Math.floor(spanOf(certificate).from / 1_000) <= entry.before;
    if (!out && !this.#serials.has(certificate.serialNumber)) return undefined;
    return new MeshError("CERTIFICATE_REVOKED", `the certificate of "${node}" was revoked`, {
      data: { node, serial: certificate.serialNumber },
    });
  }

  /** Since when the id is out: its certificates from after that hold. Seconds since 1970. */
  since(node: NodeId): number | undefined {
    return this.#nodes.get(node)?.before;
  }

  /** Whether it has all that `other` has, but what has ended by `now`: seconds since 1970. */
  covers(other: DenyList, now: number): boolean {
    const { nodes, serials } = other.denied;
    return (
      nodes.every(({ node, before, until }) => until <= now || (this.#nodes.get(node)?.before ?? -1) >= before) &&
      serials.every(({ serial, until }) => until <= now || this.#serials.has(serial))
    );
  }
}

/** What is in either, but what has ended by `now`: seconds since 1970. */
export function mergeDenied(one: Denied, other: Denied, now: number): Denied {
  const nodes = new Map<string, DeniedNode>();
  for (const entry of [...one.nodes, ...other.nodes]) {
    const known = nodes.get(entry.node);
    if (known === undefined || known.before < entry.before) nodes.set(entry.node, entry);
  }
  const serials = new Map([...one.serials, ...other.serials].map((entry) => [entry.serial, entry]));
  return {
    nodes: [...nodes.values()].filter(({ until }) => until > now).toSorted((a, b) => (a.node < b.node ? -1 : 1)),
    serials: [...serials.values()].filter(({ until }) => until > now).toSorted((a, b) => (a.serial < b.serial ? -1 : 1)),
  };
}

/** `content` is what the authority has signed. */
function read(content: string, make: (mesh: MeshId, number: number, denied: Denied) => DenyList): DenyList {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw malformed(cause);
  }
  const { mesh, number, nodes, serials }: Record<string, unknown> = typeof value === "object" && value !== null ? { ...value } : {};
  if (!isMeshId(mesh) || !isCount(number) || !Array.isArray(nodes) || !Array.isArray(serials)) throw malformed();
  return make(mesh, number, { nodes: nodes.map(readNode), serials: serials.map(readSerial) });
}

function readNode(value: unknown): DeniedNode {
  const [node, before, until]: readonly unknown[] = Array.isArray(value) ? value : [];
  if (!isNodeId(node) || !isCount(before) || !isCount(until)) throw malformed();
  return { node, before, until };
}

function readSerial(value: unknown): DeniedSerial {
  const [serial, until]: readonly unknown[] = Array.isArray(value) ? value : [];
  if (!isSerial(serial) || !isCount(until)) throw malformed();
  return { serial, until };
}

/** Whether it is the serial number of a certificate as OpenSSL writes it: hexadecimal, in capitals. */
export function isSerial(value: unknown): value is string {
  return typeof value === "string" && SERIAL.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function malformed(cause?: unknown): MeshError {
  return new MeshError("PROTOCOL_ERROR", "a list of revoked certificates that is not of the form that it must have", { cause });
}
