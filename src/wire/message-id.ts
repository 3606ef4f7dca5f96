import type { MessageId } from "../core/ids.ts";

const HIGH = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0").charCodeAt(0));
const LOW = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0").charCodeAt(1));
const CODES: number[] = new Array<number>(36).fill(45);

/** The id in the 16 bytes at `at`. In one piece: a text that is put together is put together again at each look-up. */
export function readMessageId(bytes: Uint8Array, at: number): MessageId {
  let to = 0;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) to++;
    const byte = bytes[at + i] as number;
    CODES[to++] = HIGH[byte] as number;
    CODES[to++] = LOW[byte] as number;
  }
  return String.fromCharCode(...CODES) as MessageId;
}

/** Writes the 16 bytes of `id` at `at`. */
export function writeMessageId(bytes: Uint8Array, at: number, id: MessageId): void {
  let from = 0;
  for (let i = 0; i < 16; i++) {
    if (id.charCodeAt(from) === 45) from++;
    bytes[at + i] = (nibble(id.charCodeAt(from)) << 4) | nibble(id.charCodeAt(from + 1));
    from += 2;
  }
}

function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
