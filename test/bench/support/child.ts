import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

/** A process of the benchmark that does what it is asked, one thing at a time. */
export class Child {
  readonly #process: ChildProcess;

  /** `program`: a file in programs/; plain JavaScript is named with its extension, and starts faster. */
  constructor(program: string) {
    const plain = program.endsWith(".mjs");
    const path = fileURLToPath(new URL(`../programs/${plain ? program : `${program}.ts`}`, import.meta.url));
    // Plain ones begin where no plugins are: a node of the library looks for them where its program was started.
    const where = plain ? { cwd: tmpdir() } : { execArgv: ["--import", "tsx"] };
    this.#process = fork(path, [], { execArgv: [], ...where, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error("a process of the benchmark did not start");
    return this.#process.pid;
  }

  /** Resolves to what the handler in the process gives. */
  async ask<T>(what: string, argument: unknown = {}): Promise<T> {
    const listening = new AbortController();
    const { signal } = listening;
    const ended = once(this.#process, "exit", { signal }).then(([code]) => {
      throw new Error(`a process of the benchmark ended with ${String(code)} while it did "${what}"`);
    });
    this.#process.send({ what, argument });
    const [answer] = (await Promise.race([once(this.#process, "message", { signal }), ended])) as [
      { readonly result?: T; readonly error?: string },
    ];
    ended.catch(() => undefined);
    listening.abort();
    if (answer.error !== undefined) throw new Error(`${what}: ${answer.error}`);
    return answer.result as T;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.send({ what: "stop", argument: {} });
    const killer = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
    await exited;
    clearTimeout(killer);
  }
}

/** In the process: answers each question with what its handler gives. */
export function serve(handlers: Handlers): void {
  process.on("disconnect", () => process.exit(0));
  process.on("message", (message: { readonly what: string; readonly argument: never }) => {
    if (message.what === "stop") process.exit(0);
    void answer(handlers, message.what, message.argument);
  });
}

async function answer(handlers: Handlers, what: string, argument: never): Promise<void> {
  try {
    process.send?.({ result: await handlers[what]?.(argument) });
  } catch (error) {
    process.send?.({ error: String(error) });
  }
}
