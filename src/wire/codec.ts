import { Packr, Unpackr } from "msgpackr";
import { MeshError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";

// useRecords stays off: with records on, a few bytes of one peer change how the next peer's bytes decode.
const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false, int64AsType: "number" });

/** What may be encoded: data, never code. */
export type Plain = null | undefined | boolean | number | string | Uint8Array | readonly Plain[] | { readonly [key: string]: Plain };

export function encode(value: Plain): Uint8Array {
  return packr.pack(value);
}

/**
 * Decodes what a peer sent. Maps come back as objects without a prototype. Throws PROTOCOL_ERROR where it is no msgpack,
 * is deeper than 16, has more than 1,024 keys and elements in one map or array, a key that is no plain name, or a type beyond JSON and bytes; TOO_LARGE
 * over 64 KiB.
 */
export function decode(bytes: Uint8Array): Plain {
  if (bytes.length > LIMITS.decode) {
    throw new MeshError("TOO_LARGE", `${bytes.length} bytes of metadata are over the limit of ${LIMITS.decode}`);
  }
  checkShape(bytes);
  let decoded: unknown;
  try {
    decoded = unpackr.unpack(bytes);
  } catch (error) {
    throw new MeshError("PROTOCOL_ERROR", "metadata that is no msgpack", { cause: error });
  }
  return plain(decoded);
}

function plain(value: unknown): Plain {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "undefined":
      return value;
    case "bigint":
      return Number(value);
    case "object":
      break;
    default:
      throw new MeshError("PROTOCOL_ERROR", `metadata with a ${typeof value}`);
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) {
    const object = Object.create(null) as { [key: string]: Plain };
    for (const [key, entry] of value) {
      if (typeof key !== "string" || !KEY.test(key) || RESERVED.has(key))
        throw new MeshError("PROTOCOL_ERROR", "metadata with a key that is no name");
      object[key] = plain(entry);
    }
    return object;
  }
  throw new MeshError("PROTOCOL_ERROR", "metadata with a type that is not data");
}

const KEY = /^[\x20-\x7e\u00a0-\uffff]{0,256}$/;
const RESERVED: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Walks the msgpack without building anything: depth, counts and lengths are bounded before memory is taken. */
function checkShape(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const left: number[] = [1];
  let at = 0;
  let elements = 0;
  const need = (count: number): void => {
    if (at + count > bytes.length) throw new MeshError("PROTOCOL_ERROR", "metadata that ends too early");
  };
  const size = (width: number): number => {
    need(width);
    const value = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at) : view.getUint32(at);
    at += width;
    return value;
  };
  const skip = (count: number): void => {
    need(count);
    at += count;
  };
  const open = (count: number): void => {
    elements += count;
    if (count > 2 * LIMITS.decodeKeys || elements > 16 * LIMITS.decodeKeys)
      throw new MeshError("PROTOCOL_ERROR", "metadata with too many keys");
    if (left.length >= LIMITS.decodeDepth) throw new MeshError("PROTOCOL_ERROR", "metadata that is nested too deeply");
    left.push(count);
  };
  while (left.length > 0) {
    const top = left.length - 1;
    const remaining = left[top] as number;
    if (remaining === 0) {
      left.pop();
      continue;
    }
    left[top] = remaining - 1;
    need(1);
    const tag = view.getUint8(at++);
    if (tag <= 0x7f || tag >= 0xe0) continue;
    if (tag <= 0x8f) open(2 * (tag & 15));
    else if (tag <= 0x9f) open(tag & 15);
    else if (tag <= 0xbf) skip(tag & 31);
    else {
      switch (tag) {
        case 0xc0:
        case 0xc2:
        case 0xc3:
          break;
        case 0xc4:
        case 0xd9:
          skip(size(1));
          break;
        case 0xc5:
        case 0xda:
          skip(size(2));
          break;
        case 0xc6:
        case 0xdb:
          skip(size(4));
          break;
        case 0xca:
        case 0xce:
        case 0xd2:
          skip(4);
          break;
        case 0xcb:
        case 0xcf:
        case 0xd3:
          skip(8);
          break;
        case 0xcc:
        case 0xd0:
          skip(1);
          break;
        case 0xcd:
        case 0xd1:
          skip(2);
          break;
        case 0xdc:
          open(size(2));
          break;
        case 0xdd:
          open(size(4));
          break;
        case 0xde:
          open(2 * size(2));
          break;
        case 0xdf:
          open(2 * size(4));
          break;
        case 0xd4:
          if (view.byteLength > at && view.getUint8(at) === 0) {
            skip(2);
            break;
          }
          throw new MeshError("PROTOCOL_ERROR", "metadata with an extension type");
        default:
          throw new MeshError("PROTOCOL_ERROR", "metadata with an extension type");
      }
    }
  }
  if (at !== bytes.length) throw new MeshError("PROTOCOL_ERROR", "metadata with something behind it");
}
