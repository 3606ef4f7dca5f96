import type { z } from "zod";
import { MeshError } from "../core/errors.ts";
import { nearest } from "./nearest.ts";

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** The file, the environment variable or the flag; empty in the library. */
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
  readonly suggestion?: string;
}

/** What a schema found, without where it stands. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  /** Whether the key is what is wrong, not its value. */
  readonly atKey: boolean;
  readonly message: string;
  readonly suggestion?: string;
}

type Issue = z.core.$ZodIssue;

/** Every known key of a schema, by the path of the object that it stands in ("" for the top). */
export type KnownKeys = ReadonlyMap<string, readonly string[]>;

/** Turns what zod found into findings that say where, what, and the nearest right word. */
export function findings(issues: readonly Issue[], value: unknown, known: KnownKeys): Finding[] {
  return issues.flatMap((issue) => finding(issue, at(value, issue.path), known));
}

function finding(issue: Issue, found: unknown, known: KnownKeys): Finding[] {
  const { path } = issue;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: [...path, key],
        atKey: true,
        message: path.length === 0 ? `unknown key "${key}"` : `unknown key "${key}" in ${dotted(path)}`,
        ...suggest(suggestKey(key, path, known)),
      }));
    case "invalid_key":
      return [{ path, atKey: true, message: `"${String(path.at(-1))}": ${issue.issues[0]?.message ?? "no such key"}` }];
    case "invalid_union": {
      // What is wrong inside of the branch that was meant says more than that no branch fits.
      const inner = issue.errors.find(
        (branch) => branch.length > 0 && branch.every((error) => error.path.length > 0 || error.code === "unrecognized_keys"),
      );
      if (inner === undefined) return [{ path, atKey: false, message: `${dotted(path)}: ${issue.message}, not ${shown(found)}` }];
      return inner.flatMap((error) => finding({ ...error, path: [...path, ...error.path] }, at(found, error.path), known));
    }
    case "invalid_value": {
      const words = issue.values.map(String);
      const suggestion = typeof found === "string" ? nearest(found, words) : undefined;
      return [
        { path, atKey: false, message: `${dotted(path)} is one of ${words.join(", ")}, not ${shown(found)}`, ...suggest(suggestion) },
      ];
    }
    case "invalid_type":
      return [
        {
          path,
          atKey: false,
          message: `${dotted(path)} must be ${TYPES[issue.expected] ?? issue.expected}, not ${shown(found)}${quotes(issue.expected, found)}`,
        },
      ];
    case "too_small":
      if (typeof found === "string") return [{ path, atKey: false, message: `${dotted(path)} is empty` }];
      return [{ path, atKey: false, message: `${dotted(path)} must be at least ${issue.minimum}, not ${shown(found)}` }];
    case "too_big":
      return [
        {
          path,
          atKey: false,
          message: `${dotted(path)} must be at most ${issue.maximum}${Array.isArray(found) ? " long" : `, not ${shown(found)}`}`,
        },
      ];
    default:
      return [{ path, atKey: false, message: `${dotted(path)}: ${issue.message}, not ${shown(found)}` }];
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of keys",
  record: "a map of keys",
};

function quotes(expected: string, found: unknown): string {
  if (expected === "string" && (typeof found === "number" || typeof found === "boolean")) return "; put it in quotes";
  return expected === "array" && typeof found === "string" ? `; write ["${found}"]` : "";
}

function suggest(suggestion: string | undefined): { suggestion?: string } {
  return suggestion === undefined ? {} : { suggestion };
}

function suggestKey(key: string, path: readonly PropertyKey[], known: KnownKeys): string | undefined {
  const own = path.length === 0 ? "" : dotted(path);
  const near = nearest(key, known.get(own) ?? []);
  if (near !== undefined) return near;
  // Right, but in the wrong place: `groups` at the top is `node.groups`.
  for (const [place, keys] of known) if (place !== own && keys.includes(key)) return place === "" ? key : `${place}.${key}`;
  const elsewhere = [...known].flatMap(([place, keys]) =>
    place === own || place === "" ? [] : keys.map((name) => [name, `${place}.${name}`] as const),
  );
  const word = nearest(
    key,
    elsewhere.map(([name]) => name),
  );
  return elsewhere.find(([name]) => name === word)?.[1];
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let part = value;
  for (const key of path) {
    if (typeof part !== "object" || part === null || !Object.hasOwn(part, key)) return undefined;
    part = Reflect.get(part, key);
  }
  return part;
}

/** `listen[0]`, `work.queue`. */
export function dotted(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "the configuration";
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? String(part) : `${text}.${String(part)}`),
    "",
  );
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** `receptor.config.yaml:3:5: unknown key "peer"; did you mean "peers"?` */
export function formatProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined && part !== "").join(":");
  const hint = problem.suggestion === undefined ? "" : `; did you mean "${problem.suggestion}"?`;
  return `${place === "" ? "" : `${place}: `}${problem.message}${hint}`;
}

/** CONFIG_INVALID with every problem, one a line, and again one by one in `data.problems`. */
export function configInvalid(problems: readonly Problem[]): MeshError {
  const lines = problems.map(formatProblem);
  return new MeshError("CONFIG_INVALID", lines.join("\n"), { data: { problems: lines } });
}
