import { type ChildProcess, fork } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import type { Questions } from "./questions.ts";

const PROGRAM = fileURLToPath(new URL("program.ts", import.meta.url));
const LIBRARY = new URL("../../../dist/index.js", import.meta.url).href;

interface Answer {
  readonly number: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** A program that uses the built library, in a process of its own whose memory holds nothing else: no loader, no test runner. */
export class ControllerProcess {
  readonly #process: ChildProcess;
  readonly #asked = new Map<number, { readonly resolve: (result: never) => void; readonly reject: (error: Error) => void }>();
  #number = 0;

  /** `folder`: where the compiled program may lie. */
  constructor(folder: string) {
    const program = join(folder, "controller.mjs");
    const { outputText } = ts.transpileModule(readFileSync(PROGRAM, "utf8"), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    });
    writeFileSync(program, outputText);
    this.#process = fork(program, [], { cwd: folder, execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#process.on("message", ({ number, result, error }: Answer) => {
      const asked = this.#asked.get(number);
      this.#asked.delete(number);
      if (error === undefined) asked?.resolve(result as never);
      else asked?.reject(new Error(error));
    });
    this.#process.on("exit", (code, signal) => {
      for (const { reject } of this.#asked.values()) reject(new Error(`the controller ended with ${String(code ?? signal)}`));
    });
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error("the controller does not run");
    return this.#process.pid;
  }

  start(peers: readonly string[], id: string): Promise<void> {
    return this.ask("start", { library: LIBRARY, id, peers, worker: "worker" });
  }

  ask<W extends keyof Questions>(what: W, argument: Parameters<Questions[W]>[0]): Promise<Awaited<ReturnType<Questions[W]>>> {
    const number = this.#number++;
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
      this.#process.send({ number, what, argument });
    });
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}
