import { isGroupName, isNodeId } from "../core/ids.ts";
import { LOG_FORMATS, LOG_LEVELS } from "./node-config.ts";
import type { FileConfig, ParsedOptions } from "./schema.ts";

/** True: the schema takes it, and makes nothing else of it. False says nothing. */
type Sure = (value: unknown) => boolean;

const text: Sure = (value) => typeof value === "string" && value !== "";
const flag: Sure = (value) => typeof value === "boolean";
const empty: Sure = (value) => isRecord(value) && Object.keys(value).length === 0;
const oneOf =
  (words: readonly string[]): Sure =>
  (value) =>
    typeof value === "string" && words.includes(value);
const list =
  (most: number, entry: Sure): Sure =>
  (value) =>
    // From: `every` skips what is missing in an array.
    Array.isArray(value) && value.length <= most && Array.from(value).every(entry);
const section =
  (keys: Readonly<Record<string, Sure>>): Sure =>
  (value) =>
    isRecord(value) &&
    Object.entries(value).every(([key, entry]) => Object.hasOwn(keys, key) && (entry === undefined || keys[key]?.(entry)));

const IDENTITY = { id: isNodeId, groups: list(256, isGroupName), dataDir: text, leaf: flag };
const SHARED = {
  listen: list(64, text),
  peers: list(256, text),
  insecure: flag,
  plugins: (value: unknown) => value === "auto" || empty(value),
  tls: section({ cert: text, key: text, ca: text }),
  log: section({ level: oneOf(LOG_LEVELS), format: oneOf(LOG_FORMATS) }),
};
const FILE = section({ ...SHARED, node: section(IDENTITY) });
const OPTIONS = section({ ...SHARED, ...IDENTITY, extraPlugins: list(1_000, text) });

/**
 * Whether these are settings of the common kind, and surely right, so that the schema need not be asked: to load it, and what it is made
 * with, takes a third of what else a node takes to start. What is not surely right is the schema's to judge and to explain.
 */
export function isPlainFile(values: unknown): values is FileConfig {
  return FILE(values);
}

/** The same for what `createNode` takes. */
export function isPlainOptions(values: unknown): values is ParsedOptions {
  return OPTIONS(values);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
