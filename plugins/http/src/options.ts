import { type AllowRule, parseAllowRule } from "./allow.ts";
import { failure } from "./errors.ts";

export interface Options {
  readonly allow: readonly AllowRule[];
  /** As they were written, for messages. */
  readonly rules: readonly string[];
  /** The largest body of a response, in bytes; default 1 GiB. */
  readonly maxBytes: number;
  /** Milliseconds for a whole request, unless it says less; default 5 min. */
  readonly timeout: number;
  /** Default 10. */
  readonly maxRedirects: number;
}

const KEYS = ["allow", "maxBytes", "timeout", "maxRedirects"];
const SIZES: Readonly<Record<string, number>> = { "": 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4 };
const TIMES: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** The plugin's part of the configuration: `{ allow: ["https://api.example.com/*"] }`. Throws, naming the key, where it is wrong. */
export function parseOptions(value: unknown): Options {
  if (value !== undefined && (typeof value !== "object" || value === null || Array.isArray(value))) {
    throw wrong("the options of the http plugin", "they are a map of names to values");
  }
  const given = new Map<string, unknown>(Object.entries(value ?? {}));
  for (const key of given.keys()) if (!KEYS.includes(key)) throw wrong(key, `there is no such option, only ${KEYS.join(", ")}`);
  const rules = given.get("allow") ?? [];
  if (!Array.isArray(rules) || !rules.every((rule) => typeof rule === "string")) throw wrong("allow", "it is a list of URLs");
  return {
    allow: rules.map(ruleOf),
    rules,
    maxBytes: amount(given.get("maxBytes"), "maxBytes", SIZES, 1024 ** 3, Number.MAX_SAFE_INTEGER),
    timeout: amount(given.get("timeout"), "timeout", TIMES, 300_000, 2_147_483_647),
    maxRedirects: amount(given.get("maxRedirects"), "maxRedirects", { "": 1 }, 10, 100),
  };
}

function ruleOf(rule: string): AllowRule {
  try {
    return parseAllowRule(rule);
  } catch (cause) {
    throw wrong("allow", cause instanceof Error ? cause.message : String(cause));
  }
}

function amount(value: unknown, key: string, units: Readonly<Record<string, number>>, fallback: number, maximum: number): number {
  if (value === undefined) return fallback;
  const text = typeof value === "number" || typeof value === "string" ? String(value) : "";
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = units[match?.[2]?.toLowerCase() ?? ""];
  const result = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit;
  if (result >= 0 && result <= maximum) return result;
  const names = Object.keys(units).filter((name) => name !== "");
  throw wrong(key, `it is a number${names.length === 0 ? "" : ` (or one with ${names.join(", ")})`}, at most ${maximum}`);
}

function wrong(key: string, why: string): Error {
  return failure("CONFIG_INVALID", `${key}: ${why}`);
}
