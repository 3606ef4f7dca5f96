import { room } from "../core/bytes.ts";

/** What is smaller shares its memory with others. */
const OWN = 1_024;

/** Memory to be written all over: what it held before is still in it, as filling it with zeros first takes as long as the copy that it is for. */
export function unfilled(size: number): Uint8Array {
  if (size <= OWN) return room(size);
  const { buffer } = Buffer.allocUnsafeSlow(size);
  return new Uint8Array(buffer);
}
