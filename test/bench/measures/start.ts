import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMMAND } from "../../support/mesh.ts";
import type { Contender, Measure } from "../measure.ts";
import type { Stage } from "../stage.ts";
import { median } from "../support/numbers.ts";

const program = (name: string): string => fileURLToPath(new URL(`../programs/${name}`, import.meta.url));

/** From the start of the process to the line that says that a node is ready. */
export function start(quick: boolean): Measure {
  const args = (folder: string): readonly string[] => [
    ...[COMMAND, "node", "--id", "starter", "--data-dir", folder],
    ...["--listen", "tcp://127.0.0.1:0", "--log-format", "json"],
  ];
  return measure(
    { name: "start", what: "`receptor node` until it is ready, against a process that imports its packages", base: "imports alone" },
    {
      base: () => [program("imports.mjs")],
      own: args,
      // A plain command line is read without yargs.
      others: { "without yargs": () => [program("imports.mjs"), "without-yargs"] },
      until: "ready",
      quick,
    },
  );
}

/** The shortest command. */
export function help(quick: boolean): Measure {
  return measure(
    { name: "help", what: "`receptor --help` until its text is there, against the least that yargs can do", base: "yargs alone" },
    { base: () => [program("help.mjs")], own: () => [COMMAND, "--help"], until: "--version", quick },
  );
}

interface Names {
  readonly name: string;
  readonly what: string;
  readonly base: string;
}
interface Commands {
  readonly base: (folder: string) => readonly string[];
  readonly own: (folder: string) => readonly string[];
  readonly others?: Readonly<Record<string, () => readonly string[]>>;
  /** In the output: done. */
  readonly until: string;
  readonly quick: boolean;
}

function measure({ name, what, base }: Names, commands: Commands): Measure {
  const times = commands.quick ? 1 : 5;
  const contender = (stage: Stage, who: string, args: (folder: string) => readonly string[]): Contender => ({
    name: who,
    run: async () => {
      const took: number[] = [];
      for (let i = 0; i < times; i++) took.push(await timed(stage, args, commands.until));
      return { values: { time: median(took) }, messages: took.length, bytes: 0 };
    },
  });
  return {
    name,
    what,
    units: { time: "ms" },
    goals: [{ contender: "receptor", value: "time", to: base, most: 1.3 }],
    expected: { messages: times, bytes: 0 },
    contenders: (stage) => {
      const all = { [base]: commands.base, receptor: commands.own, ...commands.others };
      return Promise.resolve(Object.entries(all).map(([who, command]) => contender(stage, who, command)));
    },
  };
}

async function timed(stage: Stage, args: (folder: string) => readonly string[], until: string): Promise<number> {
  const folder = await mkdtemp(join(stage.mesh.folder, "start-"));
  const began = performance.now();
  // Certificates that a machine has every Node read before any program would make each look as slow as the other.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const child = spawn(process.execPath, [...args(folder)], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const took = await said(child, until).then((at) => at - began);
  child.kill("SIGTERM");
  await exited;
  await rm(folder, { recursive: true });
  return took;
}

/** When a process has said `text`; rejects where it ends without. */
async function said({ stdout }: ChildProcess, text: string): Promise<number> {
  let output = "";
  for await (const chunk of stdout ?? []) {
    output += String(chunk);
    if (output.includes(text)) return performance.now();
  }
  throw new Error(`a process ended without having said "${text}": ${output}`);
}
