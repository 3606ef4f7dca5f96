import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface VictimFacts {
  readonly name: string;
  /** Arguments of node. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly onMessage?: (message: unknown) => void;
}

/** A process that is killed and started again. One that ends by itself has failed. */
export class Victim {
  readonly name: string;
  /** How it ended without having been killed, with what it said last. */
  readonly failures: string[] = [];
  kills = 0;
  readonly #facts: VictimFacts;
  #child: ChildProcess | undefined;
  #ready: number | undefined;

  constructor(facts: VictimFacts) {
    this.name = facts.name;
    this.#facts = facts;
  }

  /** Milliseconds since it said that it is ready, 0 before that; undefined: it does not run. */
  get age(): number | undefined {
    if (this.#child === undefined) return undefined;
    return this.#ready === undefined ? 0 : performance.now() - this.#ready;
  }

  start(): void {
    const { name, args, env, folder, onMessage } = this.#facts;
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    this.#child = child;
    this.#ready = undefined;
    let said = "";
    const grow = (): void => {
      if (this.#child === child) this.#ready ??= performance.now();
    };
    const hear = (chunk: Buffer): void => {
      said = `${said}${chunk.toString()}`.slice(-4_000);
      if (said.includes('"event":"ready"')) grow();
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.on("message", (message) => {
      grow();
      onMessage?.(message);
    });
    child.once("exit", (code, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.failures.push(`${name} ended by itself with ${String(code ?? signal)}: ${said}`);
    });
  }

  send(message: string): void {
    if (this.#child?.connected === true) this.#child.send(message);
  }

  /** Resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    this.kills++;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
}
