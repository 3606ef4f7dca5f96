/** The raw contenders' frame: u32 length of the whole, u8 kind, u8 hops, u16 reserved, u64 destination, then the payload. */
export const HEADER = 16;
export const KIND = { message: 1, request: 2, reply: 3, end: 4 } as const;
export const DESTINATION = { high: 0x01020304, low: 0x05060708 } as const;

export function frame(kind: number, payload: number): Buffer {
  const bytes = Buffer.alloc(HEADER + payload);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes[4] = kind;
  bytes.writeUInt32BE(DESTINATION.high, 8);
  bytes.writeUInt32BE(DESTINATION.low, 12);
  return bytes;
}

/** Calls `each` with every whole frame in place; keeps what is cut. */
export function reader(each: (bytes: Buffer, start: number, end: number) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let at = 0;
    while (bytes.length - at >= HEADER) {
      const end = at + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      each(bytes, at, end);
      at = end;
    }
    held = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
  };
}
