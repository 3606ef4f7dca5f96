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
  #since = 0;

  constructor(facts: VictimFacts) {
    this.name = facts.name;
    this.#facts = facts;
  }

  /** Milliseconds since it was started; undefined: it does not run. */
  get age(): number | undefined {
    return this.#child === undefined ? undefined : performance.now() - this.#since;
  }

  start(): void {
    const { name, args, env, folder, onMessage } = this.#facts;
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    this.#child = child;
    this.#since = performance.now();
    let said = "";
    const hear = (chunk: Buffer): void => void (said = `${said}${chunk.toString()}`.slice(-4_000));
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.on("message", (message) => onMessage?.(message));
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
