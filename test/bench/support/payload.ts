import { createHash } from "node:crypto";

const BLOCK = 1024 * 1024;
export const CHUNK = 64 * 1024;
/** Coprime to the block's length, so that chunks differ for a long time. */
const STRIDE = 4_099;

const block = makeBlock();

/** So many bytes that do not repeat soon, in chunks; the same in every process. */
export function* payload(bytes: number): Generator<Buffer> {
  for (let sent = 0, i = 0; sent < bytes; sent += CHUNK, i++) {
    const from = (i * STRIDE) % (BLOCK - CHUNK);
    yield block.subarray(from, from + Math.min(CHUNK, bytes - sent));
  }
}

/** The SHA-256 of `payload(bytes)`. */
export function digestOf(bytes: number): string {
  const hash = createHash("sha256");
  for (const chunk of payload(bytes)) hash.update(chunk);
  return hash.digest("hex");
}

function makeBlock(): Buffer {
  const made = Buffer.allocUnsafe(BLOCK);
  for (let i = 0, state = 1; i < BLOCK; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    made.writeUInt32LE(state, i);
  }
  return made;
}
