import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import type { Problem } from "./problems.ts";

/** From 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export type Path = readonly PropertyKey[];

/** A configuration file as data, which still knows where each part of it stands. */
export interface FileDocument {
  readonly value: unknown;
  /** Where the key at `path` stands, or its value where it is an element of a list; the nearest part around it where there is none. */
  keyAt(path: Path): Position;
  /** Where the value at `path` stands. */
  valueAt(path: Path): Position;
}

/** Reads YAML 1.2; what is no YAML, or has one key twice, comes back as problems instead. */
export function parseDocument(text: string): FileDocument | readonly Omit<Problem, "file">[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, strict: true });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  // Without documents the value is an empty marker, not a list.
  const list = Array.isArray(documents) ? documents : [];
  const problems = list.flatMap(({ errors }) => errors.map((error) => ({ ...position(error.pos[0]), message: tidy(error.message) })));
  const [first, second] = list;
  if (second !== undefined)
    problems.push({ ...position(second.range[0]), message: "a second document begins here; the configuration is one" });
  if (problems.length > 0) return problems;
  const root = first?.contents ?? null;
  let value: unknown;
  try {
    value = first?.toJS({ maxAliasCount: 50 }) ?? {};
  } catch (error) {
    return [{ line: 1, column: 1, message: error instanceof Error ? tidy(error.message) : String(error) }];
  }
  const start = (node: Node | null | undefined): Position => position(node?.range?.[0] ?? 0);
  return {
    value,
    keyAt: (path) => start(find(root, path, true)),
    valueAt: (path) => start(find(root, path, false)),
  };
}

function find(root: Node | null, path: Path, key: boolean): Node | null {
  let node = root;
  for (const [depth, part] of path.entries()) {
    if (isSeq(node)) {
      const item: unknown = node.items[Number(part)];
      if (!isNode(item)) return node;
      node = item;
    } else if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && String(isScalar(item.key) ? item.key.value : item.key) === String(part));
      if (pair === undefined) return node;
      const own = key && depth === path.length - 1 ? pair.key : (pair.value ?? pair.key);
      if (!isNode(own)) return node;
      node = own;
    } else return node;
  }
  return node;
}

function tidy(message: string): string {
  return message.replaceAll(/\s+/g, " ").replace(/ at line \d+, column \d+:?.*$/, "");
}
