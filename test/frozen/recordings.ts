import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PROTOCOL } from "../../src/wire/frame.ts";

/** Recordings of one major version of the protocol lie together. */
export const FOLDER = join(import.meta.dirname, `v${PROTOCOL.major}`);

/** What some version once wrote, byte by byte. */
export interface Recording {
  readonly name: string;
  readonly means: string;
  readonly bytes: Uint8Array;
}

const LINE = 32;

/** The recordings of a file: blocks of `name: meaning` and lines of hexadecimal digits, with an empty line between. */
export function readRecordings(file: string): readonly Recording[] {
  const path = join(FOLDER, file);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n\n")
    .filter((block) => block.trim() !== "")
    .map((block) => {
      const [head = "", ...lines] = block.trim().split("\n");
      const colon = head.indexOf(": ");
      return { name: head.slice(0, colon), means: head.slice(colon + 2), bytes: new Uint8Array(Buffer.from(lines.join(""), "hex")) };
    });
}

export function writeRecordings(file: string, recordings: readonly Recording[]): void {
  const path = join(FOLDER, file);
  const blocks = recordings.map(({ name, means, bytes }) => `${name}: ${means}\n${hex(bytes)}`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, blocks.join("\n"));
}

/** The files that there are recordings in. */
export function recordedFiles(): readonly string[] {
  return readdirSync(FOLDER).toSorted();
}

/** In lines, so that a failing comparison shows where. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += LINE) text += `${Buffer.from(bytes.subarray(at, at + LINE)).toString("hex")}\n`;
  return text;
}
