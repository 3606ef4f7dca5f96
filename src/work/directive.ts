import { MeshError } from "../core/errors.ts";

const PLUGIN_NAME = /^[a-z0-9-]{1,64}$/;
const ACTION_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** What a work asks for: `plugin:action`. */
export interface Directive {
  readonly plugin: string;
  readonly action: string;
}

/** 1 to 64 characters of `a-z 0-9 -`. */
export function isPluginName(value: unknown): value is string {
  return typeof value === "string" && PLUGIN_NAME.test(value);
}

/** 1 to 64 characters of `A-Z a-z 0-9 - _`. */
export function isActionName(value: unknown): value is string {
  return typeof value === "string" && ACTION_NAME.test(value);
}

/** Throws INVALID_ARGUMENT where `text` is not of the form `plugin:action`. */
export function parseDirective(text: string): Directive {
  const colon = text.indexOf(":");
  const plugin = text.slice(0, colon);
  const action = text.slice(colon + 1);
  if (colon > 0 && isPluginName(plugin) && isActionName(action)) return { plugin, action };
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
  throw new MeshError("INVALID_ARGUMENT", `${shown} is no directive: it looks like plugin:action, for example echo:run`);
}

/** `known` as a phrase for an error message, the names nearest to `wanted` first, at most eight. */
export function nearestNames(wanted: string, known: Iterable<string>): string {
  const ranked = [...known]
    .map((name) => ({ name, distance: editDistance(wanted, name) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .map((entry) => entry.name);
  if (ranked.length === 0) return "none";
  const shown = ranked.slice(0, 8).join(", ");
  return ranked.length > 8 ? `${shown} and ${ranked.length - 8} more` : shown;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
