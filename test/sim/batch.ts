import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Mode } from "./run.ts";

export interface Batch {
  readonly first: number;
  readonly count: number;
  readonly fewest: number;
  readonly most: number;
  readonly modes: readonly Mode[];
  /** Processes. */
  readonly jobs: number;
  readonly stopAtFirst?: boolean;
}

export interface BatchReport {
  runs: number;
  readonly failed: string[];
  steps: number;
  frames: number;
  readonly endings: Map<string, number>;
}

/** The share of a batch that one process runs. */
export interface Part {
  readonly batch: Batch;
  readonly offset: number;
}

export interface SeedResult {
  /** As arguments that replay it. */
  readonly name: string;
  readonly wrong: readonly string[];
  readonly steps: number;
  readonly frames: number;
  readonly endings: readonly (readonly [string, number])[];
}

const SEEDS = fileURLToPath(new URL("seeds.ts", import.meta.url));

/** Runs seed after seed in several processes; each line says what was wrong with one, and how to replay it. */
export async function runBatch(batch: Batch, onFailure: (line: string) => void): Promise<BatchReport> {
  const report: BatchReport = { runs: 0, failed: [], steps: 0, frames: 0, endings: new Map() };
  const children: ChildProcess[] = [];
  const take = (result: SeedResult): void => {
    report.runs++;
    report.steps += result.steps;
    report.frames += result.frames;
    for (const [how, count] of result.endings) report.endings.set(how, (report.endings.get(how) ?? 0) + count);
    if (result.wrong.length === 0) return;
    const line = `${result.name}: ${result.wrong.slice(0, 4).join(" | ")}`;
    report.failed.push(line);
    onFailure(line);
    if (batch.stopAtFirst === true) for (const child of children) child.kill("SIGKILL");
  };
  await Promise.all(
    Array.from({ length: batch.jobs }, (_, offset) => {
      const child = fork(SEEDS, { execArgv: ["--import", "tsx"], stdio: ["ignore", "inherit", "inherit", "ipc"] });
      children.push(child);
      child.send({ batch, offset } satisfies Part);
      return new Promise<void>((resolve, reject) => {
        child.on("message", (message) => take(message as SeedResult));
        child.on("error", reject);
        child.on("exit", (code, signal) => {
          if (code === 0 || signal === "SIGKILL") resolve();
          else reject(new Error(`a process of the simulation ended with ${code ?? signal}`));
        });
      });
    }),
  );
  return report;
}

/** How many nodes a seed of a batch has. */
export function nodesOf({ fewest, most }: Pick<Batch, "fewest" | "most">, seed: number): number {
  return fewest + (seed % (most - fewest + 1));
}
