import { nearest } from "./nearest.ts";
import type { Problem } from "./problems.ts";
import { OTHER_VARIABLES, SETTINGS, type Setting } from "./settings.ts";
import { splitList } from "./split-list.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Flags of `receptor node` by their names without dashes, as they were typed. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** What flags or variables say, in the shape of the file. */
export interface TextLayer {
  readonly raw: Readonly<Record<string, unknown>>;
  /** The flag or variable that gave a setting, by its dotted path. */
  readonly names: ReadonlyMap<string, string>;
}

/** Variables that are empty count as not set. Lists are separated by commas or spaces; `none` is the empty list. */
export function environmentLayer(env: Environment): TextLayer {
  return layer((setting) => {
    const name = setting.env.find((candidate) => (env[candidate] ?? "") !== "");
    return name === undefined ? undefined : { name, value: fromText(env[name] ?? "", setting) };
  });
}

/** `--no-listen` is `no-listen: true`. */
export function flagLayer(flags: Flags): TextLayer {
  return layer(({ flag, ...setting }) => {
    if (flag === "listen" && flags["no-listen"] === true) return { name: "--no-listen", value: [] };
    const value = flag === undefined ? undefined : flags[flag];
    if (flag === undefined || value === undefined || value === false) return undefined;
    return { name: `--${flag}`, value: typeof value === "string" ? fromText(value, setting) : value };
  });
}

function layer(read: (setting: Setting) => { name: string; value: unknown } | undefined): TextLayer {
  const raw: Record<string, unknown> = {};
  const names = new Map<string, string>();
  for (const setting of SETTINGS) {
    const found = read(setting);
    if (found === undefined) continue;
    const [first, second] = setting.path;
    names.set(setting.path.join("."), found.name);
    if (second === undefined) raw[first] = found.value;
    else raw[first] = Object.assign(raw[first] ?? {}, { [second]: found.value });
  }
  return { raw, names };
}

const YES: ReadonlySet<string> = new Set(["1", "true", "yes", "on"]);
const NO: ReadonlySet<string> = new Set(["0", "false", "no", "off"]);

/** What cannot be understood stays text, so that the schema says what is wrong with it. */
function fromText(text: string, { kind }: Pick<Setting, "kind">): unknown {
  const trimmed = text.trim();
  switch (kind) {
    case "text":
      return trimmed;
    case "count":
      return /^-?\d+(?:\.\d+)?$/.test(trimmed) ? Number(trimmed) : trimmed;
    case "boolean":
      return YES.has(trimmed.toLowerCase()) ? true : NO.has(trimmed.toLowerCase()) ? false : trimmed;
    case "list":
      return splitList(trimmed);
  }
}

/** Variables that look like a misspelt setting. Others that begin with RECEPTOR_ belong to somebody else (a service manager, say). */
export function misspeltVariables(env: Environment): Problem[] {
  const known = [...SETTINGS.flatMap((setting) => setting.env), ...OTHER_VARIABLES];
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith("RECEPTOR_") || known.includes(name)) return [];
    const suggestion = nearest(
      name.slice("RECEPTOR_".length),
      known.map((candidate) => candidate.slice("RECEPTOR_".length)),
    );
    return suggestion === undefined ? [] : [{ file: name, message: "no such variable", suggestion: `RECEPTOR_${suggestion}` }];
  });
}
