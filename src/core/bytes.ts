const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

export const EMPTY: Uint8Array = new Uint8Array(0);

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text, or undefined where `bytes` is not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The text, with U+FFFD for what is not UTF-8. */
export function fromUtf8Lossy(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

/** What is larger has a buffer of its own. */
const SMALL = 1_024;
const SHARED = 8_192;
let shared = new Uint8Array(0);
let taken = 0;

/**
 * Memory for `size` bytes, all 0. Small pieces share a buffer of 8 KiB, as one for each costs four times as much as filling it: so what is kept
 * long should be copied out of it with `own`.
 */
export function room(size: number): Uint8Array {
  if (size > SMALL) return new Uint8Array(size);
  if (taken + size > shared.length) {
    shared = new Uint8Array(SHARED);
    taken = 0;
  }
  const start = taken;
  taken += size;
  return shared.subarray(start, taken);
}

/** A copy of `bytes[start, end)`, with memory as of `room`. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (end - start > SMALL) return bytes.slice(start, end);
  const copy = room(end - start);
  copy.set(end - start === bytes.length ? bytes : bytes.subarray(start, end));
  return copy;
}

/** The same bytes, in memory that nothing else shares. */
export function own(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
