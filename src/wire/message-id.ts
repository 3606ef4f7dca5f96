import type { MessageId } from "../core/ids.ts";
import { putWord, word } from "./frame.ts";

const HIGH = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0").charCodeAt(0));
const LOW = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0").charCodeAt(1));
/** The characters of the text made last, of which the next often needs only the last eight anew. */
const CODES: number[] = new Array<number>(36).fill(45);
/** The first three words of that id: its lane. */
const lane = { a: -1, b: -1, c: -1 };
/** Where the text of the counter begins in that of an id. */
const COUNTER = 28;

/**
 * Ids of late, each in the place that its last bits give: one is read or written four times while a small work is under way, and to make its text, or
 * to look up a text that was made anew, takes longer than all else that is done with it there. Others that meet in one place are only made again.
 */
const PLACES = 1_024;
const TEXTS: (MessageId | undefined)[] = new Array<MessageId | undefined>(PLACES).fill(undefined);
const WORDS = new Uint32Array(4 * PLACES);

/** The id in the 16 bytes at `at`. */
export function readMessageId(bytes: Uint8Array, at: number): MessageId {
  const [a, b, c, d] = [word(bytes, at), word(bytes, at + 4), word(bytes, at + 8), word(bytes, at + 12)];
  const place = d & (PLACES - 1);
  const first = 4 * place;
  const known = TEXTS[place];
  if (known !== undefined && WORDS[first + 3] === d && WORDS[first] === a && WORDS[first + 1] === b && WORDS[first + 2] === c) return known;
  const text = textOf(bytes, at, a === lane.a && b === lane.b && c === lane.c);
  lane.a = a;
  lane.b = b;
  lane.c = c;
  TEXTS[place] = text;
  WORDS[first] = a;
  WORDS[first + 1] = b;
  WORDS[first + 2] = c;
  WORDS[first + 3] = d;
  return text;
}

/** Writes the 16 bytes of `id` at `at`. */
export function writeMessageId(bytes: Uint8Array, at: number, id: MessageId): void {
  const place = ((nibble(id.charCodeAt(33)) << 8) | (nibble(id.charCodeAt(34)) << 4) | nibble(id.charCodeAt(35))) & (PLACES - 1);
  if (TEXTS[place] !== id) return parse(bytes, at, id);
  for (let i = 0; i < 4; i++) putWord(bytes, at + 4 * i, WORDS[4 * place + i] as number);
}

/** In one piece: a text that is put together is put together again at each look-up. Most come from the lane of the one before. */
function textOf(bytes: Uint8Array, at: number, sameLane: boolean): MessageId {
  let to = sameLane ? COUNTER : 0;
  for (let i = sameLane ? 12 : 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) to++;
    const byte = bytes[at + i] as number;
    CODES[to++] = HIGH[byte] as number;
    CODES[to++] = LOW[byte] as number;
  }
  return String.fromCharCode(...CODES) as MessageId;
}

function parse(bytes: Uint8Array, at: number, id: MessageId): void {
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
