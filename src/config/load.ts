import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { MeshError } from "../core/errors.ts";
import { defaultDataDir } from "./data-dir.ts";
import type { FileDocument } from "./document.ts";
import { type Environment, environmentLayer, type Flags, flagLayer, type TextLayer } from "./environment.ts";
import { findConfigFile } from "./find.ts";
import { check, type Checked, type CheckUrl, knownKeys, refuse, withoutNulls } from "./layer.ts";
import type { NodeConfig } from "./node-config.ts";
import { isPlainFile } from "./plain.ts";
import { configInvalid, formatProblem, type Problem } from "./problems.ts";
import { type Origin, type Layer, resolveLayers } from "./resolve.ts";
import type { FileConfig } from "./schema.ts";
import { splitList } from "./split-list.ts";

export interface ConfigSources {
  /** The file to read; default: see `findConfigFile`. */
  readonly file?: string | undefined;
  readonly flags?: Flags;
  readonly env: Environment;
  readonly cwd: string;
  readonly checkUrl?: CheckUrl;
}

/** A configuration, and where each of its values came from. */
export interface ResolvedConfig {
  readonly config: NodeConfig;
  /** Absolute path of the file that was read; undefined: there is none. */
  readonly file: string | undefined;
  /** By dotted path in the file, e.g. `work.queue`; also `extraPlugins`. */
  readonly origins: ReadonlyMap<string, Origin>;
}

const KEYS = knownKeys(false);
const schema = async () => (await import("./schema.ts")).fileSchema;

/**
 * Flags over environment over file over defaults; the data folder is never undefined here. Rejects with CONFIG_INVALID that has every
 * problem of every source, or with INVALID_ARGUMENT where only flags are wrong.
 */
export async function loadConfig(sources: ConfigSources): Promise<ResolvedConfig> {
  const { env, cwd, flags = {}, checkUrl } = sources;
  const flagText = flagLayer(flags);
  const byFlags = await checkText(flagText, checkUrl);
  const envText = environmentLayer(env);
  const byEnv = await checkText(envText, checkUrl);
  const path = await findConfigFile(sources.file, env, cwd);
  const byFile = path === undefined ? undefined : await readConfigFile(path, cwd, checkUrl);
  const others = [...byEnv.problems, ...(byFile?.problems ?? [])];
  if (others.length === 0 && byFlags.problems.length > 0) {
    throw new MeshError("INVALID_ARGUMENT", byFlags.problems.map(formatProblem).join("\n"));
  }
  refuse([...byFlags.problems, ...others]);

  const layers: Layer[] = [
    { values: byFlags.value ?? {}, origin: (key) => ({ source: "flag", name: flagText.names.get(key) ?? "" }), base: cwd },
    { values: byEnv.value ?? {}, origin: (key) => ({ source: "environment", name: envText.names.get(key) ?? "" }), base: cwd },
  ];
  if (byFile !== undefined && path !== undefined) {
    layers.push({ values: byFile.value ?? {}, origin: (key) => ({ source: "file", ...byFile.place(key) }), base: resolve(path, "..") });
  }
  const resolved = resolveLayers(layers, extraPlugins(flags, env, cwd), (id) => defaultDataDir(id, env));
  return { ...resolved, file: path };
}

/** The problems of one file; empty where it is right. Rejects with CONFIG_INVALID where it cannot be read. */
export async function checkConfigFile(path: string, cwd: string, checkUrl?: CheckUrl): Promise<readonly Problem[]> {
  const file = await readConfigFile(resolve(cwd, path), cwd, checkUrl);
  return file.problems;
}

interface CheckedFile extends Checked<FileConfig> {
  place(key: string): { file: string; line: number; column: number };
}

async function readConfigFile(path: string, cwd: string, checkUrl: CheckUrl | undefined): Promise<CheckedFile> {
  const file = shorter(path, cwd);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const why =
      code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : code === "EACCES" ? "permission denied" : code;
    throw configInvalid([{ file, message: `the configuration cannot be read: ${why}` }]);
  }
  // YAML is read by those alone who have some.
  const { parseDocument } = await import("./document.ts");
  const document = parseDocument(text);
  if (!isDocument(document))
    return { value: undefined, problems: document.map((problem) => ({ file, ...problem })), place: () => ({ file, line: 1, column: 1 }) };
  const checked = await check(
    isPlainFile,
    schema,
    withoutNulls(document.value),
    KEYS,
    ({ path: keys, atKey }) => ({ file, ...(atKey ? document.keyAt(keys) : document.valueAt(keys)) }),
    checkUrl,
  );
  const problems = checked.problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  return { value: checked.value, problems, place: (key) => ({ file, ...document.keyAt(key.split(".")) }) };
}

function isDocument(value: FileDocument | readonly Omit<Problem, "file">[]): value is FileDocument {
  return !Array.isArray(value);
}

function checkText({ raw, names }: TextLayer, checkUrl: CheckUrl | undefined): Promise<Checked<FileConfig>> {
  const place = ({ path }: { readonly path: readonly PropertyKey[] }) => ({
    file: names.get(path.slice(0, 2).join(".")) ?? names.get(String(path[0])) ?? "",
  });
  return check(isPlainFile, schema, raw, KEYS, place, checkUrl);
}

function extraPlugins(flags: Flags, env: Environment, cwd: string): { values: readonly string[]; origin: Origin } {
  const absolute = (spec: string): string => (/^\.{0,2}\//.test(spec) ? resolve(cwd, spec) : spec);
  const flag = flags["plugin"];
  if (Array.isArray(flag) && flag.length > 0) return { values: flag.map(absolute), origin: { source: "flag", name: "--plugin" } };
  for (const name of ["RECEPTOR_PLUGINS", "RECEPTOR_PLUGIN"]) {
    const text = env[name] ?? "";
    if (text !== "") return { values: splitList(text).map(absolute), origin: { source: "environment", name } };
  }
  return { values: [], origin: { source: "default" } };
}

/** Relative where that is shorter and does not climb. */
function shorter(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") ? path : short;
}
