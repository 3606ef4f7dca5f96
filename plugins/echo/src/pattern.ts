import { Readable } from "node:stream";

// 251 is prime, so a chunk that is lost, doubled or swapped shows in what follows.
const PERIOD = 251;
const CHUNK = Buffer.from(Uint8Array.from({ length: PERIOD * 130 }, (_, at) => at % PERIOD));

/** `bytes` bytes, the one at offset n being n % 251, made as they are read. */
export function patternStream(bytes: number): Readable {
  return Readable.from(chunks(bytes), { objectMode: false });
}

function* chunks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
}
