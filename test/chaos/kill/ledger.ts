import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** What the origin was told, in the order in which it was told: one line each, appended before anything else is done with it. */
export type Entry =
  | { readonly type: "life" }
  | { readonly type: "sent"; readonly id: string; readonly number: string }
  | { readonly type: "parked"; readonly id: string; readonly node: string }
  | { readonly type: "accepted"; readonly id: string }
  /** `outcome`: "succeeded", or the code of the error that it was told. */
  | { readonly type: "end"; readonly id: string; readonly outcome: string };

export function note(path: string, entry: Entry): void {
  appendFileSync(path, `${JSON.stringify(entry)}\n`);
}

/** A line that a kill cut short was never told to anybody. */
export function readLedger(path: string): readonly Entry[] {
  return lines(path).map((line) => JSON.parse(line) as Entry);
}

/** One run, as the plugin wrote it down. */
export interface Run {
  readonly number: string;
  readonly id: string;
}

export function readRuns(path: string): readonly Run[] {
  return lines(path).map((line) => {
    const [number = "", id = ""] = line.split(" ");
    return { number, id };
  });
}

function lines(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}
