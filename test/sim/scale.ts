import { SlabPool } from "../../src/link/slab.ts";
import { ROUTING } from "../../src/routing/numbers.ts";
import { VirtualClock } from "./clock.ts";
import { seeded } from "./random.ts";
import { type Dial, ScaleNode } from "./scale-node.ts";
import { ScaleNetwork } from "./scale-network.ts";
import { Truth } from "./scale-truth.ts";

export interface ScaleOptions {
  readonly nodes: number;
  readonly seed: number;
  /** Virtual milliseconds over which the nodes start. */
  readonly joining: number;
}

/** One part of the run, from the change to tables that are right. */
export interface Phase {
  readonly name: string;
  /** Virtual milliseconds. */
  readonly virtual: number;
  /** Of these: after the last change that a node could notice, such as the last link that came up. */
  readonly settling: number;
  /** Real milliseconds. */
  readonly real: number;
  /** Milliseconds of processor time: on a machine with nothing else to do about as much. */
  readonly processor: number;
  /** Resident bytes of the process at the end. */
  readonly resident: number;
  readonly frames: number;
  readonly bytes: number;
  /** Routes, and how many of them are the old ones that R10 keeps although a cheaper one has come. */
  readonly routes: number;
  readonly kept: number;
}

/** What is found at a moment. */
interface Look {
  readonly wrong: readonly string[];
  readonly routes: number;
  readonly kept: number;
}

/** How long a phase may take, in virtual milliseconds, and how often it is looked at. */
const LIMIT = 180_000;
const LOOK = 250;
const STEPS = 2_000_000_000;

/** Many real engines in one process and virtual time: two rings in different order over all nodes, so that each has four links. */
export class ScaleRun {
  readonly nodes: readonly ScaleNode[];
  readonly wrong: string[] = [];
  readonly #options: ScaleOptions;
  readonly #clock = new VirtualClock();
  readonly #network: ScaleNetwork;
  readonly truth: Truth;
  readonly #halves: Truth;

  constructor(options: ScaleOptions) {
    this.#options = options;
    const random = seeded(options.seed);
    this.#network = new ScaleNetwork(this.#clock, random);
    const names = Array.from({ length: options.nodes }, (_, i) => `n${i}`);
    this.truth = new Truth(names);
    const dials: Dial[][] = names.map(() => []);
    for (const [a, b] of [...ring(names.map((_, i) => i)), ...ring(shuffled(options.nodes, random))]) {
      const cost = 1 + Math.floor(random() * 5);
      if (this.truth.has(a, b)) continue;
      this.truth.link(a, b, cost);
      (dials[a] as Dial[]).push({ to: names[b] as string, cost });
    }
    this.#halves = this.truth.without((a, b) => this.#half(a) === this.#half(b));
    const world = {
      clock: this.#clock,
      network: this.#network,
      random,
      slabs: new SlabPool(8_192, 4_096),
      wrong: (what: string): void => void this.wrong.push(what),
    };
    this.nodes = names.map((name, i) => new ScaleNode(name, dials[i] ?? [], world));
  }

  /** All nodes start, one after the other. */
  join(): Phase {
    const gap = this.#options.joining / this.nodes.length;
    this.nodes.forEach((node, i) => this.#clock.after(i * gap, () => node.start()));
    return this.#settle("join", this.truth, this.#options.joining);
  }

  /** Nothing passes between the halves any more, and nobody is told. */
  cut(): Phase {
    this.#between(true);
    return this.#settle("cut", this.#halves, 0);
  }

  heal(): Phase {
    this.#between(false);
    return this.#settle("heal", this.truth, 0);
  }

  /** What is wrong with the tables and maps of all nodes, measured by `truth`. */
  look(truth: Truth): Look {
    const wrong: string[] = [];
    let routes = 0;
    let kept = 0;
    const links = [...truth.links()];
    const halves = [true, false].map((half) => links.filter(([a]) => this.#half(a) === half).length);
    const whole = links.length === [...this.truth.links()].length;
    const ways = this.nodes.map((_, i) => truth.from(i));
    const index = new Map(this.nodes.map(({ id }, i) => [id, i]));
    this.nodes.forEach(({ id, engine }, from) => {
      const cost = ways[from] as Float64Array;
      // Who is at the other side of a cut is remembered for a while, but out of reach.
      const edges = engine.routing.edges().filter(({ between: [a] }) => Number.isFinite(cost[index.get(a) ?? 0])).length;
      const inReach = whole ? links.length : halves[this.#half(from) ? 0 : 1];
      if (edges !== inReach) wrong.push(`${id} knows ${edges} links of ${inReach}`);
      this.nodes.forEach((other, to) => {
        if (other.id === id) return;
        const best = cost[to] as number;
        const route = engine.routing.route(other.id);
        if (!Number.isFinite(best)) {
          if (route !== undefined) wrong.push(`${id} has a route to ${other.id}, which is cut off`);
          return;
        }
        routes++;
        if (route === undefined) return void wrong.push(`${id} has no route to ${other.id}`);
        const next = index.get(route.nextHop) ?? 0;
        const nearer = ((ways[next] as Float64Array)[to] as number) < best;
        if (!nearer || route.cost < best || route.cost * ROUTING.better > best)
          wrong.push(`${id} reaches ${other.id} at ${route.cost} by ${route.nextHop}; the best is ${best}`);
        if (route.cost > best) kept++;
      });
    });
    return { wrong, routes, kept };
  }

  #settle(name: string, truth: Truth, busy: number): Phase {
    const { now } = this.#clock;
    const started = performance.now();
    const before = process.cpuUsage();
    const { frames, bytes } = this.#network;
    this.#clock.runUntil(now + busy, STEPS);
    let lastUp = this.#clock.now;
    let links = -1;
    for (;;) {
      const up = this.nodes.reduce((sum, { engine }) => sum + [...engine.links.list()].length, 0);
      if (up !== links) lastUp = this.#clock.now;
      links = up;
      const due = this.#clock.now - now >= LIMIT;
      const look = due || this.#plausible(truth, up) ? this.look(truth) : undefined;
      if (look !== undefined && look.wrong.length > 0 && due) this.wrong.push(...look.wrong.slice(0, 10).map((what) => `${name}: ${what}`));
      if (look !== undefined && (look.wrong.length === 0 || due)) {
        return {
          name,
          virtual: this.#clock.now - now,
          settling: this.#clock.now - lastUp,
          real: performance.now() - started,
          processor: processorTime(before),
          resident: process.memoryUsage().rss,
          frames: this.#network.frames - frames,
          bytes: this.#network.bytes - bytes,
          routes: look.routes,
          kept: look.kept,
        };
      }
      this.#clock.runUntil(this.#clock.now + LOOK, STEPS);
    }
  }

  /** A cheap look before the thorough one: as many links as there should be, and routes in some nodes. */
  #plausible(truth: Truth, up: number): boolean {
    if (up !== 2 * [...truth.links()].length) return false;
    const step = Math.ceil(this.nodes.length / 10);
    for (let i = 0; i < this.nodes.length; i += step) {
      const cost = truth.from(i);
      const routing = this.nodes[i]?.engine.routing;
      if (this.nodes.some(({ id }, to) => to !== i && (routing?.route(id) !== undefined) !== Number.isFinite(cost[to]))) return false;
    }
    return true;
  }

  #between(silent: boolean): void {
    for (const [a, b] of this.truth.links()) {
      if (this.#half(a) === this.#half(b)) continue;
      this.#network.way(this.truth.names[a] as string, this.truth.names[b] as string).silent = silent;
    }
  }

  #half(i: number): boolean {
    return i < this.#options.nodes / 2;
  }
}

function processorTime(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

function ring(order: readonly number[]): [number, number][] {
  return order.map((a, i) => [a, order[(i + 1) % order.length] as number]);
}

function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}
