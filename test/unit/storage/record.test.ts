import { expect, test } from "vitest";
import { seal, unseal } from "../../../src/storage/record.ts";

const value = Uint8Array.from({ length: 40 }, (_, i) => i * 7);

test("unseal gives back what seal was given", () => {
  expect(unseal("key", seal("key", value))).toEqual(value);
  expect(unseal("key", seal("key", new Uint8Array(0)))).toEqual(new Uint8Array(0));
});

test("unseal refuses a record with any one bit flipped", () => {
  const record = seal("key", value);
  for (let bit = 0; bit < record.length * 8; bit++) {
    const damaged = record.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(unseal("key", damaged)).toBeUndefined();
  }
});

test("unseal refuses a record under another key, and one that is cut", () => {
  const record = seal("key", value);
  expect(unseal("kez", record)).toBeUndefined();
  for (let length = 0; length < record.length; length++) expect(unseal("key", record.subarray(0, length))).toBeUndefined();
});

test("seal stores CRC-32 as zlib computes it, over key and value", () => {
  expect(Buffer.from(seal("1234", Buffer.from("56789"))).toString("hex")).toBe(`cbf43926${Buffer.from("56789").toString("hex")}`);
});
