import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { within } from "../mesh.ts";
import type { FloodOrder, FloodReport } from "./orders.ts";

const SCRIPT = fileURLToPath(new URL("flood.ts", import.meta.url));

/** A process full of strangers, one order at a time. */
export class Crowd implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<Crowd> {
    const child = fork(SCRIPT, { execArgv: ["--import", "tsx"] });
    await within(once(child, "message"), 15_000, "the crowd gathers");
    return new Crowd(child);
  }

  async obeys(order: FloodOrder): Promise<FloodReport> {
    const answer = once(this.#child, "message");
    this.#child.send(order);
    const [report] = await within(answer, 60_000, `the crowd obeys "${order.type}"`);
    return report as FloodReport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}
