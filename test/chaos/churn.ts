import { setMaxListeners } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import type { Random } from "../../src/core/instant.ts";
import type { FaultProxy, Faults } from "../support/fault-proxy.ts";
import type { Cluster } from "./cluster.ts";

export type FaultName = "kill" | "stop" | "wipe" | "delay" | "throttle" | "hole" | "one-way hole" | "reset" | "half-close";

export interface ChurnOptions {
  readonly cluster: Cluster;
  readonly random: Random;
  /** Nodes that are never killed, stopped or wiped; what happens to their links happens to them too. */
  readonly steady: ReadonlySet<string>;
  /** Milliseconds from one fault to the next, on average. */
  readonly every: number;
  /** A node's process is back, from a kill or a stop. `whole`: with all of its lines. */
  readonly onBack: (id: string, whole: boolean) => void;
}

/** How often each fault comes, as shares of the whole. */
const SHARES: Readonly<Record<FaultName, number>> = {
  kill: 30,
  stop: 12,
  wipe: 10,
  delay: 15,
  throttle: 6,
  hole: 6,
  "one-way hole": 6,
  reset: 8,
  "half-close": 7,
};

/** Real trouble for real processes: one fault after another, several at once, each with its end. */
export class Churn {
  readonly counts: Partial<Record<FaultName, number>> = {};
  /** What it could not do: a node that does not start again. */
  readonly troubles: string[] = [];
  readonly #options: ChurnOptions;
  readonly #under = new Set<Promise<void>>();
  readonly #faulty = new Set<FaultProxy>();
  readonly #healing = new AbortController();

  constructor(options: ChurnOptions) {
    this.#options = options;
    // Many faults wait at once, all for the same end.
    setMaxListeners(0, this.#healing.signal);
  }

  /** Makes trouble for so many milliseconds, then ends all of it; resolves when every process runs and every line is whole. */
  async run(milliseconds: number): Promise<void> {
    const until = performance.now() + milliseconds;
    while (performance.now() < until) {
      this.#begin(this.#draw());
      await wait(2 * this.#options.random() * this.#options.every);
    }
    this.#healing.abort();
    await Promise.all(this.#under);
  }

  #begin(name: FaultName): void {
    const fault = name === "kill" || name === "wipe" || name === "stop" ? this.#onNode(name) : this.#onLine(name);
    if (fault === undefined) return;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    const promise = fault
      .catch((error: unknown) => void this.troubles.push(`${name}: ${String(error)}`))
      .finally(() => this.#under.delete(promise));
    this.#under.add(promise);
  }

  #onNode(name: "kill" | "wipe" | "stop"): Promise<void> | undefined {
    const { cluster, steady } = this.#options;
    const mortal = cluster.ids.filter((id) => !steady.has(id));
    const up = mortal.filter((id) => cluster.state(id) === "up");
    const id = this.#pick(up);
    // At most half of them are away at once.
    if (id === undefined || up.length <= mortal.length / 2) return undefined;
    return name === "stop" ? this.#stop(id) : this.#kill(id, name === "wipe");
  }

  async #kill(id: string, wipes: boolean): Promise<void> {
    const { cluster } = this.#options;
    const away = this.#skewed(10_000);
    await cluster.kill(id);
    if (wipes) cluster.wipe(id);
    await this.#pause(away);
    await cluster.start(id);
    this.#back(id);
  }

  async #stop(id: string): Promise<void> {
    const { cluster } = this.#options;
    cluster.stop(id);
    await this.#pause(this.#skewed(30_000));
    cluster.proceed(id);
    this.#back(id);
  }

  #back(id: string): void {
    const { cluster, onBack } = this.#options;
    onBack(id, !cluster.lines(id).some((line) => this.#faulty.has(line)));
  }

  #onLine(name: Exclude<FaultName, "kill" | "wipe" | "stop">): Promise<void> | undefined {
    const { proxies } = this.#options.cluster;
    const proxy = this.#pick(proxies.filter((line) => !this.#faulty.has(line)));
    if (proxy === undefined || this.#faulty.size >= proxies.length / 4) return undefined;
    if (name === "reset" || name === "half-close") {
      if (name === "reset") proxy.reset();
      else proxy.halfClose(this.#options.random() < 0.5 ? "out" : "back");
      return Promise.resolve();
    }
    return this.#disturb(proxy, this.#faults(name));
  }

  async #disturb(proxy: FaultProxy, faults: Faults): Promise<void> {
    this.#faulty.add(proxy);
    proxy.set(faults);
    await this.#pause(this.#skewed(40_000));
    proxy.clear();
    this.#faulty.delete(proxy);
  }

  #faults(name: "delay" | "throttle" | "hole" | "one-way hole"): Faults {
    const { random } = this.#options;
    switch (name) {
      case "delay":
        return { out: { delay: this.#skewed(3_000) }, back: { delay: this.#skewed(3_000) } };
      case "throttle":
        return { out: { bytesPerSecond: 2_000 + this.#skewed(100_000) }, back: { bytesPerSecond: 2_000 + this.#skewed(100_000) } };
      case "hole":
        return { out: { hole: true }, back: { hole: true } };
      case "one-way hole":
        return random() < 0.5 ? { out: { hole: true } } : { back: { hole: true } };
    }
  }

  #draw(): FaultName {
    const names = Object.entries(SHARES) as [FaultName, number][];
    let at = this.#options.random() * names.reduce((sum, [, share]) => sum + share, 0);
    for (const [name, share] of names) {
      at -= share;
      if (at < 0) return name;
    }
    return "kill";
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#options.random() * from.length)];
  }

  /** More often little than much. */
  #skewed(most: number): number {
    return most * this.#options.random() ** 2;
  }

  async #pause(milliseconds: number): Promise<void> {
    await wait(milliseconds, undefined, { signal: this.#healing.signal }).catch(() => undefined);
  }
}
