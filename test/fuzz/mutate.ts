import type { Random } from "../../src/core/instant.ts";
import { encode, type Plain } from "../../src/wire/codec.ts";

/** Numbers at which lengths and counts go wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as const;
/** First bytes of msgpack's long forms: strings, binaries, lists, maps, extensions. */
const FORMS = [0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd4, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0x9f, 0x8f] as const;
/** Bytes that a text format has a meaning for. */
const SIGNS = new TextEncoder().encode('{}[]":,\\\n-.0eE*=&\u0000');

/** One input: a sample, changed a few times; or bytes that are like nothing. At most `most` bytes. */
export function mutated(samples: readonly Uint8Array[], random: Random, most: number): Uint8Array {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  // A copy, and no Buffer: the slices of those are views.
  let bytes: Uint8Array = new Uint8Array(pick(samples) ?? []);
  if (random() < 0.05) bytes = noise(random, Math.floor(random() ** 3 * most));
  if (random() < 0.03) bytes = new Uint8Array(nested(random, most));
  for (let changes = 1 + Math.floor(random() ** 3 * 6); changes > 0; changes--) bytes = change(bytes, random, pick, samples, most);
  return bytes.length > most ? bytes.slice(0, most) : bytes;
}

type Pick = <T>(list: readonly T[]) => T | undefined;

function change(bytes: Uint8Array, random: Random, pick: Pick, samples: readonly Uint8Array[], most: number): Uint8Array {
  const at = Math.floor(random() * (bytes.length + 1));
  const set = (...values: readonly number[]): Uint8Array => {
    const copy = bytes.slice();
    copy.set(values.slice(0, copy.length - at), at);
    return copy;
  };
  // Mostly in place: where a length follows a length, one byte more is refused before the rest is read.
  switch (random() < 0.7 ? Math.floor(random() * 5) : 5 + Math.floor(random() * 5)) {
    case 0:
      return set((bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8)));
    case 1:
      return set(Math.floor(random() * 256));
    case 2: {
      const edge = pick(EDGES) ?? 0;
      return set(edge >>> 24, (edge >>> 16) & 0xff, (edge >>> 8) & 0xff, edge & 0xff);
    }
    case 3:
      return set(pick(FORMS) ?? 0, pick(EDGES) ?? 0, 0xff);
    case 8:
      return bytes.slice(0, at);
    case 5:
      return joined(bytes.subarray(0, at), noise(random, 1 + Math.floor(random() * 16)), bytes.subarray(at));
    case 6:
      return joined(bytes.subarray(0, at), bytes.subarray(Math.floor(random() * (bytes.length + 1))));
    case 7: {
      const other = pick(samples) ?? bytes;
      return joined(bytes.subarray(0, at), other.subarray(Math.floor(random() * (other.length + 1))));
    }
    case 4:
      return set(pick([...SIGNS]) ?? 0);
    default:
      return repeated(bytes, at, random, most);
  }
}

/** A part of it many times over, up to all that fits. */
function repeated(bytes: Uint8Array, at: number, random: Random, most: number): Uint8Array {
  const part = bytes.subarray(at, at + 1 + Math.floor(random() * 32));
  if (part.length === 0) return bytes;
  const times = Math.floor((random() ** 3 * (most - bytes.length)) / part.length);
  return times < 1 ? bytes : joined(bytes.subarray(0, at), ...Array.from({ length: times }, () => part), bytes.subarray(at));
}

/** Values within values, as msgpack or as JSON. */
function nested(random: Random, most: number): Uint8Array {
  const depth = Math.floor(random() * Math.min(most, 20_000));
  if (random() < 0.3) return new Uint8Array(depth).fill(random() < 0.5 ? 0x91 : 0x81);
  if (random() < 0.5) return new TextEncoder().encode((random() < 0.5 ? "[" : '{"a":').repeat(Math.floor(depth / 5)));
  let value: Plain = "x".repeat(Math.floor(random() * 10));
  for (let level = depth % 64; level > 0; level--) value = random() < 0.5 ? [value] : { [random() < 0.1 ? "__proto__" : "a"]: value };
  return encode(value);
}

function noise(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random() * 256;
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
