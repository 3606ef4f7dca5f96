import { crc32 } from "node:zlib";

const CHECKSUM = 4;

/** What is stored for `value` under `key`: a CRC-32 over key and value (big-endian), then the value. Copies `value` into what `take` gives. */
export function seal(key: string, value: Uint8Array, take: (length: number) => Uint8Array = allocate): Uint8Array {
  const record = take(CHECKSUM + value.length);
  record.set(value, CHECKSUM);
  const sum = crc32(value, crc32(key));
  record[0] = sum >>> 24;
  record[1] = sum >>> 16;
  record[2] = sum >>> 8;
  record[3] = sum;
  return record;
}

const allocate = (length: number): Uint8Array => new Uint8Array(length);

/** The value in `record`, sharing its memory; undefined where the checksum says that the key or the value is not what was written. */
export function unseal(key: string, record: Uint8Array): Uint8Array | undefined {
  if (record.length < CHECKSUM) return undefined;
  // Plain, whatever the record is: a Buffer's slice() would not copy.
  const value = new Uint8Array(record.buffer, record.byteOffset + CHECKSUM, record.byteLength - CHECKSUM);
  const sum = crc32(value, crc32(key));
  const same =
    record[0] === sum >>> 24 && record[1] === ((sum >>> 16) & 0xff) && record[2] === ((sum >>> 8) & 0xff) && record[3] === (sum & 0xff);
  return same ? value : undefined;
}
