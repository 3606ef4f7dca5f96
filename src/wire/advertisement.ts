import { MeshError } from "../core/errors.ts";
import { isGroupName, isNodeId, type NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { hashNodeId } from "../core/node-hash.ts";
import {
  ADVERTISEMENT_FLAG,
  type AdvertisementLayout,
  AT,
  bootOf,
  checkAdvertisement,
  costToThousandths,
  LAYOUT,
  LinkCursor,
  malformed,
  readHead,
  SIGNATURE_MAX,
  uptimeOf,
  writeU48,
} from "./advertisement-layout.ts";
import { Fields } from "./check.ts";
import { decode, encode, type Plain } from "./codec.ts";

export interface PluginAdvertisement {
  readonly name: string;
  readonly version: string;
  readonly actions: readonly string[];
}

/** What a node says of itself to the whole mesh. The newest (epoch, sequence) of a node is the one that holds. */
export interface Advertisement {
  readonly node: NodeId;
  /** How often the node has started; at most 2^48 - 1, as is `sequence`. */
  readonly epoch: number;
  readonly sequence: number;
  /** Names the process that speaks: 32 hexadecimal digits. */
  readonly boot: string;
  /** How long that process had run when it said this, in milliseconds. Of two with one id the one that runs longer stays. */
  readonly uptime: Millis;
  /** At most 256. Costs are kept in thousandths: 0.001 to 1,000,000. */
  readonly links: readonly { readonly peer: NodeId; readonly cost: number }[];
  readonly groups: readonly string[];
  readonly plugins: readonly PluginAdvertisement[];
  readonly load: { readonly running: number; readonly queued: number };
  /** Carries no traffic of others. */
  readonly leaf: boolean;
  /** About to stop: takes no traffic of others any more. */
  readonly draining: boolean;
  /** Gone, without a trace, when its link is. */
  readonly ephemeral: boolean;
  /** Goodbye: what is left of the node is a tombstone. */
  readonly withdrawn: boolean;
  /** The product's version. */
  readonly version: string;
  /** In a mesh with an authority. Proves nothing until the signature is checked. */
  readonly credentials?: Credentials;
}

/** What a node shows of itself, so that others can check what it says, and write to it alone. */
export interface Credentials {
  /** X.509, DER: its key signs the advertisement. */
  readonly certificate: Uint8Array;
  /** X25519, 32 bytes: for messages that only this node may read. */
  readonly sealingKey: Uint8Array;
}

/**
 * Encodes it, without a signature. Throws TOO_LARGE over LIMITS.advertisement, less the room for a signature where it has credentials, and
 * INVALID_ARGUMENT with more links than LIMITS.linksPerNode.
 */
export function encodeAdvertisement(advertisement: Advertisement): Uint8Array {
  const { node, links, credentials } = advertisement;
  if (links.length > LIMITS.linksPerNode) {
    throw new MeshError("INVALID_ARGUMENT", `${links.length} links are over the limit of ${LIMITS.linksPerNode} a node`);
  }
  const body = encode(bodyOf(advertisement));
  let length = AT.id + node.length + 2 + 2 + body.length;
  for (const link of links) length += 1 + link.peer.length + 4;
  const limit = LIMITS.advertisement - (credentials === undefined ? 0 : SIGNATURE_MAX);
  if (length > limit) throw new MeshError("TOO_LARGE", `an advertisement of ${length} bytes is over the limit of ${limit}`);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const hash = hashNodeId(node);
  view.setUint8(AT.layout, LAYOUT);
  view.setUint8(AT.flags, flagsOf(advertisement));
  view.setUint32(AT.high, hash.high);
  view.setUint32(AT.low, hash.low);
  writeU48(view, AT.epoch, advertisement.epoch);
  writeU48(view, AT.sequence, advertisement.sequence);
  for (let i = 0; i < 16; i++) bytes[AT.boot + i] = Number.parseInt(advertisement.boot.slice(2 * i, 2 * i + 2), 16);
  writeU48(view, AT.uptime, Math.max(0, Math.floor(advertisement.uptime)));
  let at = writeId(bytes, AT.idLength, node);
  view.setUint16(at, links.length);
  at += 2;
  for (const link of links) {
    at = writeId(bytes, at, link.peer);
    view.setUint32(at, costToThousandths(link.cost));
    at += 4;
  }
  view.setUint16(at, body.length);
  bytes.set(body, at + 2);
  return bytes;
}

/** Decodes all of it. Throws PROTOCOL_ERROR or TOO_LARGE. */
export function decodeAdvertisement(raw: Uint8Array): Advertisement {
  const layout = checkAdvertisement(raw);
  return { ...envelopeOf(raw, layout), ...readBody(raw.subarray(layout.body, layout.bodyEnd)) };
}

/** As `decodeAdvertisement`, but without groups, plugins, load and version: what is left where the msgpack is unreadable. */
export function decodeEnvelope(raw: Uint8Array): Advertisement {
  return { ...envelopeOf(raw, checkAdvertisement(raw)), groups: [], plugins: [], load: { running: 0, queued: 0 }, version: "" };
}

function envelopeOf(raw: Uint8Array, layout: AdvertisementLayout): Omit<Advertisement, "groups" | "plugins" | "load" | "version"> {
  const head = readHead(new DataView(raw.buffer, raw.byteOffset, raw.byteLength), 0);
  const links: { peer: NodeId; cost: number }[] = [];
  const cursor = new LinkCursor(raw, layout.links);
  while (cursor.next()) {
    const peer = cursor.peer();
    if (!isNodeId(peer)) throw malformed("has a link to what is no node id");
    links.push({ peer, cost: cursor.cost / 1000 });
  }
  return {
    node: layout.id,
    epoch: head.epoch,
    sequence: head.sequence,
    boot: bootOf(raw),
    uptime: uptimeOf(raw),
    links,
    withdrawn: (head.flags & ADVERTISEMENT_FLAG.withdrawn) !== 0,
    leaf: (head.flags & ADVERTISEMENT_FLAG.leaf) !== 0,
    draining: (head.flags & ADVERTISEMENT_FLAG.draining) !== 0,
    ephemeral: (head.flags & ADVERTISEMENT_FLAG.ephemeral) !== 0,
  };
}

function flagsOf(advertisement: Advertisement): number {
  return (
    (advertisement.withdrawn ? ADVERTISEMENT_FLAG.withdrawn : 0) |
    (advertisement.leaf ? ADVERTISEMENT_FLAG.leaf : 0) |
    (advertisement.draining ? ADVERTISEMENT_FLAG.draining : 0) |
    (advertisement.ephemeral ? ADVERTISEMENT_FLAG.ephemeral : 0)
  );
}

function bodyOf(advertisement: Advertisement): Plain {
  const { running, queued } = advertisement.load;
  const body: { [key: string]: Plain } = { version: advertisement.version };
  if (advertisement.groups.length > 0) body.groups = advertisement.groups;
  if (advertisement.plugins.length > 0) {
    body.plugins = advertisement.plugins.map(({ name, version, actions }) => ({ name, version, actions }));
  }
  if (running > 0 || queued > 0) body.load = { running, queued };
  if (advertisement.credentials !== undefined) {
    body.certificate = advertisement.credentials.certificate;
    body.seal = advertisement.credentials.sealingKey;
  }
  return body;
}

const SEALING_KEY = 32;
const PLUGIN = /^[a-z0-9-]{1,64}$/;
const ACTION = /^[A-Za-z0-9_-]{1,64}$/;
const VERSION = /^[\x20-\x7e]{0,64}$/;

function readBody(bytes: Uint8Array): Pick<Advertisement, "groups" | "plugins" | "load" | "version" | "credentials"> {
  const fields = new Fields(decode(bytes), "an advertisement");
  const load = fields.has("load") ? new Fields(fields.raw("load"), "an advertisement's load") : undefined;
  return {
    groups: fields.strings("groups", 256, isGroupName),
    plugins: fields.list("plugins", 256, readPlugin),
    load: load === undefined ? { running: 0, queued: 0 } : { running: load.integer("running"), queued: load.integer("queued") },
    version: text(fields, "version", VERSION),
    ...(fields.has("certificate") && { credentials: readCredentials(fields) }),
  };
}

function readCredentials(fields: Fields): Credentials {
  const sealingKey = fields.bytes("seal", SEALING_KEY);
  if (sealingKey.length !== SEALING_KEY) throw malformed("has a sealing key of the wrong length");
  return { certificate: fields.bytes("certificate", LIMITS.certificate), sealingKey };
}

function readPlugin(item: Plain): PluginAdvertisement {
  const fields = new Fields(item, "an advertised plugin");
  return {
    name: text(fields, "name", PLUGIN),
    version: text(fields, "version", VERSION),
    actions: fields.strings("actions", 256, (action) => ACTION.test(action)),
  };
}

function text(fields: Fields, key: string, pattern: RegExp): string {
  const value = fields.string(key, 64);
  if (!pattern.test(value)) throw malformed(`has no valid "${key}"`);
  return value;
}

function writeId(bytes: Uint8Array, at: number, id: NodeId): number {
  bytes[at] = id.length;
  for (let i = 0; i < id.length; i++) bytes[at + 1 + i] = id.charCodeAt(i);
  return at + 1 + id.length;
}
