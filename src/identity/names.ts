import { isNodeId, type NodeId } from "../core/ids.ts";

declare const brand: unique symbol;

/** Names a mesh, in its certificates and join tokens: 16 hexadecimal digits, drawn when the mesh is made. */
export type MeshId = string & { readonly [brand]: "MeshId" };

const MESH_ID = /^[0-9a-f]{16}$/;
const AUTHORITY = /^CN=receptor mesh ([0-9a-f]{16})$/;
const NODE_URI = /^mesh:\/\/([0-9a-f]{16})\/node\/(.*)$/s;

/** What follows a node's id in the id of a command that joins the mesh with that node's certificate. */
const SHORT_LIVED = /^(.*):cli-[0-9a-f]{12}$/s;

/** The longest id that a certificate is made for: with the ending of a short-lived node it is a node id still. */
export const LONGEST_CERTIFIED = 128 - ":cli-".length - 12;

export function isMeshId(value: unknown): value is MeshId {
  return typeof value === "string" && MESH_ID.test(value);
}

/** The one name that a certificate of the mesh carries. */
export function formatNodeUri(mesh: MeshId, node: NodeId): string {
  return `mesh://${mesh}/node/${node}`;
}

/** Undefined where it names no node of a mesh. */
export function parseNodeUri(uri: string): { readonly mesh: MeshId; readonly node: NodeId } | undefined {
  const [, mesh, node] = NODE_URI.exec(uri) ?? [];
  return isMeshId(mesh) && isNodeId(node) ? { mesh, node } : undefined;
}

/** The mesh whose authority has this subject; undefined: it is none that `receptor mesh init` has made. */
export function parseAuthorityName(subject: string): MeshId | undefined {
  const [, mesh] = AUTHORITY.exec(subject) ?? [];
  return isMeshId(mesh) ? mesh : undefined;
}

/** The id of a command that runs with the certificate of `owner`; `random` is 12 hexadecimal digits. */
export function shortLivedId(owner: NodeId, random: string): string {
  return `${owner}:cli-${random}`;
}

/** The node whose certificate a command runs with; any other id is its own. */
export function ownerOf(id: string): string {
  return SHORT_LIVED.exec(id)?.[1] ?? id;
}

/** Whether a node is a command that comes and goes, by its id. */
export function isShortLivedId(id: string): boolean {
  return id.startsWith("cli-") || SHORT_LIVED.test(id);
}

/** Whether a certificate may be made for the id: short enough, and not of the form that commands use. */
export function isCertifiable(node: NodeId): boolean {
  return node.length <= LONGEST_CERTIFIED && !SHORT_LIVED.test(node);
}

/**
 * Whether a node whose certificate names `certified` may call itself `claimed`: by that name alone, or, as a short-lived node, by that
 * name with the ending of a command.
 */
export function mayCallItself(certified: NodeId, claimed: NodeId, ephemeral: boolean): boolean {
  if (claimed === certified) return true;
  return ephemeral && SHORT_LIVED.exec(claimed)?.[1] === certified;
}
