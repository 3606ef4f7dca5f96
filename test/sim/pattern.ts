const CYCLE = 256;
const PATTERN = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, i) => i % CYCLE));

/** The bytes from `offset` on of the content that has this number; they may be shared. */
export function patternOf(number: number, offset: number, length: number): Uint8Array {
  const start = (number + offset) % CYCLE;
  return PATTERN.subarray(start, start + length);
}

/** Whether `bytes` are what the content with this number has from `offset` on. */
export function matches(number: number, offset: number, bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, patternOf(number, offset, bytes.length)) === 0;
}
