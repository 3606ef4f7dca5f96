import { MeshError } from "../core/errors.ts";
import { isNodeId, type NodeId } from "../core/ids.ts";
import type { Plain } from "./codec.ts";

/** Reads the fields of a decoded map one by one; each accessor throws PROTOCOL_ERROR where the type or range is wrong. */
export class Fields {
  readonly #subject: string;
  readonly #map: { readonly [key: string]: Plain };

  constructor(value: Plain, subject: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array) {
      throw new MeshError("PROTOCOL_ERROR", `${subject} is no map`);
    }
    this.#subject = subject;
    this.#map = value as { readonly [key: string]: Plain };
  }

  has(key: string): boolean {
    return this.#map[key] !== undefined && this.#map[key] !== null;
  }

  keys(): string[] {
    return Object.keys(this.#map);
  }

  raw(key: string): Plain {
    return this.#map[key];
  }

  /** A finite number in [minimum, maximum]. */
  number(key: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): number {
    const value = this.#map[key];
    if (typeof value !== "number" || !(value >= minimum && value <= maximum)) this.#wrong(key);
    return value;
  }

  integer(key: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): number {
    const value = this.number(key, minimum, maximum);
    if (!Number.isInteger(value)) this.#wrong(key);
    return value;
  }

  string(key: string, limit = 256): string {
    const value = this.#map[key];
    if (typeof value !== "string" || value.length > limit) this.#wrong(key);
    return value;
  }

  boolean(key: string): boolean {
    const value = this.#map[key];
    if (value === undefined) return false;
    if (typeof value !== "boolean") this.#wrong(key);
    return value;
  }

  nodeId(key: string): NodeId {
    const value = this.#map[key];
    if (!isNodeId(value)) return this.#wrong(key);
    return value;
  }

  bytes(key: string, limit: number): Uint8Array {
    const value = this.#map[key];
    if (!(value instanceof Uint8Array) || value.length > limit) return this.#wrong(key);
    return value;
  }

  list<T>(key: string, limit: number, read: (item: Plain) => T): T[] {
    const value = this.#map[key];
    if (value === undefined) return [];
    if (!Array.isArray(value) || value.length > limit) return this.#wrong(key);
    return value.map(read);
  }

  strings(key: string, limit: number, valid: (text: string) => boolean): string[] {
    return this.list(key, limit, (item) => {
      if (typeof item !== "string" || !valid(item)) return this.#wrong(key);
      return item;
    });
  }

  #wrong(key: string): never {
    throw new MeshError("PROTOCOL_ERROR", `${this.#subject} has no valid "${key}"`);
  }
}
