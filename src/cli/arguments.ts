import { MeshError } from "../core/errors.ts";
import { parseDuration } from "../config/units.ts";

/** What was typed after a command, by name. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** The last one, where it was given more than once. */
  text(name: string): string | undefined {
    const value = this.#values[name];
    const last: unknown = Array.isArray(value) ? value.at(-1) : value;
    return typeof last === "string" ? last : undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === "") throw usage(`missing ${name.toUpperCase()}`);
    return value;
  }

  list(name: string): readonly string[] {
    const value = this.#values[name];
    if (typeof value === "string") return [value];
    return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
  }

  /** Undefined where the option was not given at all. */
  lists(name: string): readonly string[] | undefined {
    return this.#values[name] === undefined ? undefined : this.list(name);
  }

  flag(name: string): boolean {
    const value = this.#values[name];
    return value === true || (Array.isArray(value) && value.at(-1) === true);
  }

  /** Milliseconds of an option that counts in seconds; `500ms` and `5m` are taken too. */
  seconds(name: string, least = 0): number | undefined {
    const value = this.duration(name, least);
    // Timers count in 32 bits.
    return value === undefined ? undefined : Math.min(value, 2 ** 31 - 1);
  }

  /** The same for what no timer counts: as long as was said. */
  duration(name: string, least = 0): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = parseDuration(text, 1_000);
    if (value === undefined || value < least) {
      throw usage(`--${name} is a number of seconds${least > 0 ? `, at least ${least / 1_000}` : ""}, not "${text}"`);
    }
    return value;
  }

  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d+$/.test(text) ? Number(text) : 0;
    if (!Number.isSafeInteger(value) || value < 1) throw usage(`--${name} is a whole number from 1, not "${text}"`);
    return value;
  }
}

/** A command line that is not of the form it must have; exit status 2. */
export function usage(message: string): MeshError {
  return new MeshError("INVALID_ARGUMENT", message);
}
