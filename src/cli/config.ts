import { resolve } from "node:path";
import { findConfigFile } from "../config/find.ts";
import { checkConfigFile, loadConfig } from "../config/load.ts";
import { configInvalid } from "../config/problems.ts";
import type { Origin } from "../config/resolve.ts";
import { fileJsonSchema } from "../config/schema.ts";
import { inFileShape } from "../config/show.ts";
import { formatDuration, formatSize } from "../config/units.ts";
import { EXIT, MeshError } from "../core/errors.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { escapeLine } from "./escape.ts";
import { table } from "./table.ts";

/** `receptor config check [FILE]`: every mistake in the file, with its line. */
export async function check(args: Arguments, { out, env, cwd, services }: Context): Promise<number> {
  const named = args.text("file") ?? args.text("config");
  const path = await findConfigFile(named, env, cwd);
  if (path === undefined) throw new MeshError("CONFIG_INVALID", `there is no receptor.config.yaml in ${cwd} and none in /etc/receptor`);
  const problems = await checkConfigFile(path, cwd, await services.parseUrl());
  if (problems.length > 0) throw configInvalid(problems);
  if (out.json) out.object({ file: path, valid: true });
  else if (!out.quiet) out.print(`${named ?? path}: ok`);
  return EXIT.done;
}

/** `receptor config show`: what holds, and where each value came from. */
export async function show(args: Arguments, { out, env, cwd, services }: Context): Promise<number> {
  const file = args.text("config");
  const loaded = await loadConfig({
    file: file === undefined ? undefined : resolve(cwd, file),
    env,
    cwd,
    checkUrl: await services.parseUrl(),
  });
  const rows = inFileShape(loaded, { reveal: args.flag("reveal") });
  if (out.json) {
    const values = rows.map(({ key, value, origin }) => [key, { value: value ?? null, from: origin }] as const);
    out.object({ file: loaded.file ?? null, values: Object.fromEntries(values) });
    return EXIT.done;
  }
  const cells = rows.map(({ key, value, origin }) => [key, valueText(key, value), describe(origin)]);
  const [head = "", ...lines] = table(["KEY", "VALUE", "FROM"], cells);
  for (const line of [out.style("dim", head), ...lines]) out.print(line);
  return EXIT.done;
}

const DURATIONS: ReadonlySet<string> = new Set(["work.retention", "store.ttl"]);

function valueText(key: string, value: unknown): string {
  if (value === undefined) return "-";
  if (typeof value === "number" && DURATIONS.has(key)) return formatDuration(value);
  if (typeof value === "number" && key === "store.maxBytes") return formatSize(value);
  return escapeLine(typeof value === "string" ? value : JSON.stringify(value));
}

function describe(origin: Origin): string {
  switch (origin.source) {
    case "file":
      return `${origin.file}:${origin.line}`;
    case "default":
      return "default";
    case "flag":
    case "environment":
      return origin.name;
  }
}

/** `receptor config schema`: the JSON Schema of the file. */
export async function schema(_args: Arguments, { out }: Context): Promise<number> {
  if (out.json) out.object(fileJsonSchema());
  else out.print(JSON.stringify(fileJsonSchema(), null, 2));
  return EXIT.done;
}
