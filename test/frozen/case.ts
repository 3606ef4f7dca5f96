import { MeshError } from "../../src/core/errors.ts";
import { messageId, nodeId } from "../../src/core/ids.ts";

/** Something that is frozen: what this version writes for a value, and what it makes of the recorded bytes. */
export interface Case {
  readonly name: string;
  readonly means: string;
  /** What `decode` must make of the recording; plain data. */
  readonly value: unknown;
  encode(): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** A case whose value goes in and comes out by two functions that mirror each other. */
export function frozen<T>(
  name: string,
  means: string,
  value: T,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
  plain: (value: T) => unknown = (it) => it,
): Case {
  return { name, means, value: plain(value), encode: () => encode(value), decode: (bytes) => plain(decode(bytes)) };
}

/** Errors by what crosses the mesh of them, wherever they are in `value`. */
export function plainErrors(value: unknown): unknown {
  if (value instanceof MeshError) return { code: value.code, message: value.message, data: { ...value.data } };
  if (Array.isArray(value)) return value.map(plainErrors);
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plainErrors(entry)]));
}

export const ID = messageId("a1b2c3d4-e5f6-8071-8283-94a5b6c7d8e9");
export const EAST = nodeId("east-1");
export const WEST = nodeId("west.example:2");
export const REFUSAL = new MeshError("DENIED", "no such thing here", {
  data: { text: "ünïcode", number: 70_000, fraction: 0.5, yes: true, list: ["one", "two"] },
});

export const text = (of: string): Uint8Array => new Uint8Array(Buffer.from(of, "utf8"));
