import { type ChildProcess, spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { ChurnMap } from "../../core/churn-map.ts";
import { MeshError, toMeshError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { TokenBucket } from "../../core/token-bucket.ts";
import { Channel } from "./channel.ts";
import { pluginEnvironment } from "./environment.ts";
import { BOUNDS, type Frame, KIND, type Kind } from "./frames.ts";
import type { Isolation } from "./isolation.ts";
import type { Launch } from "./launch.ts";
import { watchMemory } from "./memory-watch.ts";
import { type LoadOrder, readLog, readMessage, readOutcome, toJson } from "./messages.ts";
import { readLines } from "./output.ts";
import { programArguments } from "./program.ts";
import type { RemoteWork } from "./remote-work.ts";

export interface ProcessOptions {
  /** What errors and the log call the plugin. */
  readonly label: string;
  readonly isolation: Isolation;
  readonly launch: Launch;
  readonly log: Log;
  /** It has ended, and so have its works; `expected`: it was told to. */
  onGone(error: MeshError, expected: boolean): void;
}

/** Milliseconds. */
const TIMES = {
  /** From the start of the process to its first word, beyond what loading may take. */
  boot: 5_000,
  /** From being told to end to being killed. */
  end: 1_000,
  /** From its end to the last that it wrote having been read. */
  rest: 250,
} as const;

/** Log lines a second, and at once, that one process may have; what is over is counted, and said. */
const LINES = { rate: 100, burst: 1_000 };

interface Answer {
  resolve(data: Uint8Array): void;
  reject(error: MeshError): void;
}

/** One process of one plugin: its pipe, its limits, its output and its end. What it says is taken as what a stranger says. */
export class PluginProcess {
  readonly #options: ProcessOptions;
  readonly #child: ChildProcess;
  readonly #channel: Channel;
  readonly #works = new ChurnMap<number, RemoteWork>();
  readonly #lines = new TokenBucket(LINES.rate, LINES.burst);
  readonly #endWatch: () => void;
  #unsaid = 0;
  #answer: Answer | undefined;
  #lastWork = 0;
  #why: string | undefined;
  #expected = false;
  #gone: MeshError | undefined;
  #onEnd: (() => void)[] = [];

  constructor(options: ProcessOptions) {
    this.#options = options;
    const { isolation, launch } = options;
    const [command = "", ...args] = [...launch.through, process.execPath, ...programArguments(isolation.memory)];
    // A group of its own: a key pressed on the node's terminal is the node's to answer, and what the plugin starts can be ended with it.
    this.#child = spawn(command, args, {
      env: pluginEnvironment(process.env, isolation.environment, launch.user !== undefined),
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      detached: true,
      ...launch.user,
    });
    const pipe = this.#child.stdio[3];
    if (!(pipe instanceof Duplex)) throw new MeshError("INTERNAL", "a process without a pipe");
    this.#channel = new Channel(pipe, {
      limit: BOUNDS.frame,
      onFrame: (frame) => this.#onFrame(frame),
      onBroken: (error) => this.kill(`it broke the protocol: ${error.message}`),
      onClosed: () => undefined,
    });
    this.#watchOutput();
    this.#child.on("error", (error) => this.#onGone(`it could not be started: ${error.message}`));
    this.#child.on("exit", (status, signal) => {
      this.#killGroup();
      const how = signal === null ? `it ended with status ${status ?? "?"}` : `it was ended by ${signal}`;
      const rest = setTimeout(() => this.#onGone(how), TIMES.rest);
      this.#child.once("close", () => {
        clearTimeout(rest);
        this.#onGone(how);
      });
    });
    const { pid } = this.#child;
    this.#endWatch =
      pid === undefined
        ? () => undefined
        : watchMemory(pid, isolation.memory, (bytes) => this.kill(outOfMemory(isolation.memory, `it held ${mebibytes(bytes)}`)));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Loads the plugin; what the process says of it. Rejects with PLUGIN_INVALID. */
  load(order: LoadOrder): Promise<Uint8Array> {
    return this.#ask(KIND.load, toJson(order), order.limit + TIMES.boot);
  }

  /** Hands over its part of the configuration, and has the plugin start. */
  async start(part: unknown, limit: number): Promise<void> {
    await this.#ask(KIND.start, toJson(part), limit);
  }

  async stop(limit: number): Promise<void> {
    await this.#ask(KIND.stop, toJson(null), limit);
  }

  /** Ends it in good order; resolves when it is gone. */
  async end(): Promise<void> {
    this.#expected = true;
    if (this.#gone !== undefined) return;
    this.#channel.end();
    const timer = setTimeout(() => this.kill("it was ended"), TIMES.end);
    await new Promise<void>((resolve) => this.#onEnd.push(resolve));
    clearTimeout(timer);
  }

  /** Ends it, and what it started, at once. */
  kill(why: string): void {
    this.#why ??= why;
    if (this.#gone === undefined) this.#killGroup();
  }

  /** With what it started, and did not put into a group of its own. */
  #killGroup(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // Nothing is left of it.
    }
  }

  /** Where a work is sent to; undefined: the process is gone. */
  open(work: RemoteWork): { readonly send: (kind: Kind, ...data: Uint8Array[]) => void; readonly overdue: () => void } | undefined {
    if (this.#gone !== undefined) return undefined;
    this.#lastWork = (this.#lastWork + 1) % 2 ** 32 || 1;
    const number = this.#lastWork;
    this.#works.set(number, work);
    return {
      send: (kind, ...data) => this.#channel.send(kind, number, ...data),
      overdue: () => this.kill("a work did not stop when it was told to"),
    };
  }

  #onFrame(frame: Frame): void {
    if (frame.work !== 0) {
      const work = this.#works.get(frame.work);
      if (work === undefined) throw new MeshError("PROTOCOL_ERROR", `a frame of no work of its`);
      work.onFrame(frame);
      if (frame.kind === KIND.ended) this.#works.delete(frame.work);
      return;
    }
    switch (frame.kind) {
      case KIND.done:
        return this.#answered().resolve(frame.data);
      case KIND.refused:
        return this.#answered().reject(readOutcome(frame.data).error ?? new MeshError("PLUGIN_INVALID", "it was refused"));
      case KIND.fault:
        this.#why ??= `it failed outside of any work: ${readMessage(frame.data)}`;
        return;
      case KIND.log: {
        const { level, fields, message } = readLog(frame.data);
        if (this.#mayLog()) this.#options.log[level](fields, message);
        return;
      }
      default:
        throw new MeshError("PROTOCOL_ERROR", `a frame of kind ${frame.kind}`);
    }
  }

  #ask(kind: Kind, data: Uint8Array, limit: number): Promise<Uint8Array> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (this.#answer !== undefined) return Promise.reject(new MeshError("INTERNAL", "a process is asked two things at once"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.kill(`it did not answer within ${limit} ms`), limit);
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(timer);
          settle(value);
        };
      };
      this.#answer = { resolve: settled(resolve), reject: settled(reject) };
      this.#channel.send(kind, 0, data);
    });
  }

  #answered(): Answer {
    const answer = this.#answer;
    if (answer === undefined) throw new MeshError("PROTOCOL_ERROR", "an answer to nothing");
    this.#answer = undefined;
    return answer;
  }

  #watchOutput(): void {
    const { stdout, stderr } = this.#child;
    for (const [name, stream] of [
      ["stdout", stdout],
      ["stderr", stderr],
    ] as const) {
      if (stream === null) continue;
      readLines(stream, (line) => {
        if (line.includes("JavaScript heap out of memory")) this.#why ??= outOfMemory(this.#options.isolation.memory, "its heap was full");
        if (this.#mayLog()) this.#options.log[name === "stdout" ? "info" : "warn"]({ [name]: line }, "a plugin wrote");
      });
    }
  }

  #mayLog(): boolean {
    if (!this.#lines.take(performance.now())) {
      this.#unsaid++;
      return false;
    }
    if (this.#unsaid > 0) this.#options.log.warn({ lines: this.#unsaid }, "a plugin logs too much; lines were left out");
    this.#unsaid = 0;
    return true;
  }

  #onGone(how: string): void {
    if (this.#gone !== undefined) return;
    const error = new MeshError("WORK_FAILED", `the process of plugin "${this.#options.label}" ended: ${this.#why ?? how}`);
    this.#gone = error;
    this.#endWatch();
    this.#answer?.reject(error);
    this.#answer = undefined;
    for (const work of this.#works.values()) work.gone(toMeshError(error));
    this.#works.clear();
    this.#options.onGone(error, this.#expected);
    for (const resolve of this.#onEnd.splice(0)) resolve();
  }
}

function outOfMemory(limit: number, how: string): string {
  return `it needed more memory than its ${mebibytes(limit)}: ${how}`;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
