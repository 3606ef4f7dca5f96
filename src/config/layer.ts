import { toMeshError } from "../core/errors.ts";
import type { z } from "zod";
import { configInvalid, dotted, type Finding, findings, type KnownKeys, type Problem } from "./problems.ts";
import { ADDRESSES, SETTINGS } from "./settings.ts";

/** Throws where `url` is no address of a node; config itself knows nothing of transports. */
export type CheckUrl = (url: string) => unknown;

/** Where something stands, for a problem. */
export type Place = Pick<Problem, "file" | "line" | "column">;

/** Keys with nothing behind them count as absent; a plugin with nothing behind it has no options. */
export function withoutNulls(value: unknown, path: readonly string[] = []): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const kept: [string, unknown][] = [];
  for (const [key, entry] of Object.entries(value)) {
    if (path[0] === "plugins") kept.push([key, entry ?? {}]);
    else if (entry !== null && entry !== undefined) kept.push([key, path.length === 0 ? withoutNulls(entry, [key]) : entry]);
  }
  return Object.fromEntries(kept);
}

/** Which keys there are, in the shape of the file or in the flat one of the library. */
export function knownKeys(flat: boolean): KnownKeys {
  const keys = new Map<string, string[]>([["", flat ? ["extraPlugins"] : []]]);
  const add = (place: string, key: string): void => {
    const list = keys.get(place) ?? [];
    if (!list.includes(key)) list.push(key);
    keys.set(place, list);
  };
  for (const { path } of SETTINGS) {
    const [first, second] = flat && path[0] === "node" ? path.slice(1) : path;
    if (first === undefined) continue;
    add("", first);
    if (second !== undefined) add(first, second);
  }
  return keys;
}

export interface Checked<T> {
  /** Undefined where there are problems. */
  readonly value: T | undefined;
  readonly problems: readonly Problem[];
}

/** Checks one source of configuration by itself; `place` says where a finding stands. The schema is asked where what it says is not `isPlain`. */
export async function check<T>(
  isPlain: (values: unknown) => values is T,
  schema: () => Promise<z.ZodType<T>>,
  raw: unknown,
  known: KnownKeys,
  place: (finding: Pick<Finding, "path" | "atKey">) => Place,
  checkUrl: CheckUrl | undefined,
): Promise<Checked<T>> {
  const bad = badAddresses(raw, checkUrl);
  // A copy, as the schema makes one: what a program handed over stays its own.
  if (bad.length === 0 && isPlain(raw)) return { value: structuredClone(raw), problems: [] };
  const parsed = (await schema()).safeParse(raw);
  const found = [...(parsed.success ? [] : findings(parsed.error.issues, raw, known)), ...bad];
  const problems = found.map((finding) => ({
    ...place(finding),
    message: finding.message,
    ...(finding.suggestion === undefined ? {} : { suggestion: finding.suggestion }),
  }));
  return { value: problems.length === 0 ? parsed.data : undefined, problems };
}

function badAddresses(raw: unknown, checkUrl: CheckUrl | undefined): Finding[] {
  if (checkUrl === undefined || typeof raw !== "object" || raw === null) return [];
  const found: Finding[] = [];
  for (const key of ADDRESSES) {
    const list: unknown = Reflect.get(raw, key);
    if (!Array.isArray(list)) continue;
    for (const [index, url] of list.entries()) {
      if (typeof url !== "string" || url === "") continue;
      try {
        checkUrl(url);
      } catch (error) {
        found.push({ path: [key, index], atKey: false, message: `${dotted([key, index])}: ${toMeshError(error).message}` });
      }
    }
  }
  return found;
}

/** Throws CONFIG_INVALID if there are problems. */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw configInvalid(problems);
}
