import { MeshError } from "../core/errors.ts";
import { isNodeId, type NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { hashNodeId } from "../core/node-hash.ts";

/**
 * An encoded advertisement, big-endian. What a relay needs lies at fixed places in front, so that it drops a duplicate by
 * comparing numbers; the rest is msgpack, in which unknown fields are ignored, and, in a mesh with an authority, a signature to the end.
 *
 * u8 layout, u8 flags, u64 hash of the node id, u48 epoch, u48 sequence, 16 bytes boot, u48 uptime, u8 length and the node id,
 * u16 count of links, each (u8 length and the peer's id, u32 cost in thousandths), u16 length and the msgpack.
 */
export const LAYOUT = 1;
export const AT = { layout: 0, flags: 1, high: 2, low: 6, epoch: 10, sequence: 16, boot: 22, uptime: 38, idLength: 44, id: 45 } as const;
const ID_MAX = 128;
/** That of an RSA key of 4,096 bits. */
export const SIGNATURE_MAX = 512;
const COST_MAX = 1_000_000_000;

export const ADVERTISEMENT_FLAG = { withdrawn: 0x01, leaf: 0x02, draining: 0x04, ephemeral: 0x08 } as const;

/** The flags of a node through which no traffic of others may go. */
export const NO_TRANSIT = ADVERTISEMENT_FLAG.leaf | ADVERTISEMENT_FLAG.draining | ADVERTISEMENT_FLAG.ephemeral;

/** Bytes that an encoded advertisement has at the least. */
export const ADVERTISEMENT_MIN = AT.id + 1 + 2 + 2;

/** What comes before everything else in an encoded advertisement; `boot` is the first 32 bits of the boot id. */
export interface AdvertisementHead {
  readonly high: number;
  readonly low: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly boot: number;
  readonly flags: number;
}

/** The 32 bits of a boot id that name a life; those before them name the store, and stay. */
export function bootLife(boot: string): number {
  return Number.parseInt(boot.slice(8, 16), 16) >>> 0;
}

/** Costs are compared and added as whole thousandths, so that every node gets the same sums. */
export function costToThousandths(cost: number): number {
  return Math.min(COST_MAX, Math.max(1, Math.round(cost * 1000)));
}

export function readU48(view: DataView, at: number): number {
  return view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2);
}

export function writeU48(view: DataView, at: number, value: number): void {
  view.setUint16(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 2, value % 0x1_0000_0000);
}

/** The head of the advertisement at `at`; the caller has seen to it that ADVERTISEMENT_MIN bytes are there. */
export function readHead(view: DataView, at: number): AdvertisementHead {
  return {
    high: view.getUint32(at + AT.high),
    low: view.getUint32(at + AT.low),
    epoch: readU48(view, at + AT.epoch),
    sequence: readU48(view, at + AT.sequence),
    boot: view.getUint32(at + AT.boot + 4),
    flags: view.getUint8(at + AT.flags),
  };
}

/** Where the parts of a well-formed advertisement lie. */
export interface AdvertisementLayout {
  readonly id: NodeId;
  /** The link count, and the end of the last link. */
  readonly links: number;
  readonly linksEnd: number;
  readonly body: number;
  readonly bodyEnd: number;
}

/**
 * Checks everything but the msgpack: lengths, ids, costs, and that the hash is that of the id. Throws PROTOCOL_ERROR or TOO_LARGE.
 * `known`: the id, where the caller has found a node of that hash and seen that its id is in `raw`.
 */
export function checkAdvertisement(raw: Uint8Array, known?: NodeId): AdvertisementLayout {
  if (raw.length > LIMITS.advertisement) {
    throw new MeshError("TOO_LARGE", `an advertisement of ${raw.length} bytes is over the limit of ${LIMITS.advertisement}`);
  }
  if (raw.length < ADVERTISEMENT_MIN || raw[AT.layout] !== LAYOUT) throw malformed("is of an unknown layout");
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const id = known ?? readNode(raw, view);
  const links = AT.id + id.length;
  const cursor = new LinkCursor(raw, links);
  if (cursor.left > LIMITS.linksPerNode) throw malformed("has too many links");
  while (cursor.next()) if (!(cursor.cost >= 1 && cursor.cost <= COST_MAX)) throw malformed("has a cost out of range");
  const linksEnd = cursor.end;
  if (linksEnd + 2 > raw.length) throw malformed("ends too early");
  const body = linksEnd + 2;
  const bodyEnd = body + view.getUint16(linksEnd);
  if (bodyEnd > raw.length) throw malformed("ends too early");
  if (raw.length - bodyEnd > SIGNATURE_MAX) throw malformed("has too much behind it");
  return { id, links, linksEnd, body, bodyEnd };
}

/** Walks the links of an encoded advertisement without building anything. Throws PROTOCOL_ERROR where they run over the end. */
export class LinkCursor {
  readonly #raw: Uint8Array;
  /** Links not yet visited. */
  left: number;
  /** Behind the link that was visited last. */
  end: number;
  /** Where the peer's id begins, and how many bytes it has. */
  start = 0;
  length = 0;
  /** In thousandths. */
  cost = 0;

  constructor(raw: Uint8Array, links: number = AT.id + (raw[AT.idLength] ?? 0)) {
    if (links + 2 > raw.length) throw malformed("ends too early");
    this.#raw = raw;
    this.left = ((raw[links] as number) << 8) | (raw[links + 1] as number);
    this.end = links + 2;
  }

  next(): boolean {
    if (this.left === 0) return false;
    const raw = this.#raw;
    const length = raw[this.end] ?? 0;
    const cost = this.end + 1 + length;
    if (length === 0 || length > ID_MAX || cost + 4 > raw.length) throw malformed("ends too early");
    this.left--;
    this.start = this.end + 1;
    this.length = length;
    this.cost =
      (raw[cost] as number) * 0x1000000 +
      (((raw[cost + 1] as number) << 16) | ((raw[cost + 2] as number) << 8) | (raw[cost + 3] as number));
    this.end = cost + 4;
    return true;
  }

  /** The peer's id; not checked. */
  peer(): NodeId {
    return ascii(this.#raw, this.start, this.length) as NodeId;
  }
}

/** The cost in thousandths at which `raw` lists the node that said `other`; 0 where it does not. Both are well-formed. */
export function listedCost(raw: Uint8Array, other: Uint8Array): number {
  return costAt(raw, other, AT.id, other[AT.idLength] as number);
}

/** The cost in thousandths at which `raw`, which is well-formed, lists the node whose id lies at `start` of `bytes`; 0 where it does not. */
export function costAt(raw: Uint8Array, bytes: Uint8Array, start: number, length: number): number {
  const cursor = new LinkCursor(raw);
  while (cursor.next()) {
    if (cursor.length !== length) continue;
    let i = 0;
    while (i < length && raw[cursor.start + i] === bytes[start + i]) i++;
    if (i === length) return cursor.cost;
  }
  return 0;
}

/** Whether the advertisement at `at` is one of `id`, which a wrong or colliding hash does not make it. */
export function isOf(bytes: Uint8Array, at: number, id: string): boolean {
  if (bytes[at + AT.idLength] !== id.length) return false;
  for (let i = 0; i < id.length; i++) if (bytes[at + AT.id + i] !== id.charCodeAt(i)) return false;
  return true;
}

/** The uptime in a well-formed advertisement. */
export function uptimeOf(raw: Uint8Array): Millis {
  return readU48(new DataView(raw.buffer, raw.byteOffset, raw.byteLength), AT.uptime);
}

/** The boot id in a well-formed advertisement. */
export function bootOf(raw: Uint8Array): string {
  // Joined, and not added up: each addition leaves a node of a rope, 700 bytes for a boot id.
  return Array.from(raw.subarray(AT.boot, AT.boot + 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  // In one piece: a string that is put together letter by letter takes several times the memory.
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function readNode(raw: Uint8Array, view: DataView): NodeId {
  const id = readId(raw, AT.idLength);
  const hash = hashNodeId(id);
  if (hash.high !== view.getUint32(AT.high) || hash.low !== view.getUint32(AT.low)) throw malformed("has the hash of another node");
  return id;
}

function readId(raw: Uint8Array, at: number): NodeId {
  const length = raw[at] as number;
  if (at + 1 + length > raw.length) throw malformed("ends too early");
  const id = ascii(raw, at + 1, length);
  if (!isNodeId(id)) throw malformed("has no valid node id");
  return id;
}

/** The error for an encoded advertisement that is not of its form. */
export function malformed(how: string): MeshError {
  return new MeshError("PROTOCOL_ERROR", `an advertisement that ${how}`);
}
