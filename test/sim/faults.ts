import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

/** How often each fault comes, relative to the others. */
const WEIGHTS = {
  crash: 5,
  crashAtStore: 5,
  stop: 2,
  freeze: 2,
  reset: 5,
  silence: 5,
  delay: 4,
  fullDisk: 1,
  badDisk: 1,
} as const;

/** Of two clocks that jump so far at the most neither is too far from the other. */
const AGREE = 0.54;

/** How many of those that come up again find their disk full. */
const FULL_AT_START = 0.1;

type Fault = keyof typeof WEIGHTS;
const TOTAL = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);

/** What goes wrong in a world, from its seed. */
export class Faults {
  readonly #world: World;
  #over = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** One fault after another from `from` to `until`, as often as nodes there are. */
  plan(from: number, until: number): void {
    const { clock, random, nodes } = this.#world;
    const pause = 20_000 / nodes.length;
    for (let at = from; at < until; at += pause * (0.3 + 1.4 * random())) clock.at(at, () => this.#strike());
  }

  /** A node with a long history loses its disk: what it says now is older than what all others know of it. */
  relapse(node: SimNode): void {
    for (let life = 0; life < 3; life++) {
      this.#world.bereave(node, false);
      node.crash(false);
      node.start();
      this.#world.clock.runUntil(this.#world.clock.now + 600);
    }
    this.#world.bereave(node, true);
    node.crash(true);
    node.start();
  }

  /** Everything works again, and every node runs. */
  heal(): void {
    const { nodes, network, tell } = this.#world;
    this.#over = true;
    tell("all heals");
    network.losses = 0;
    network.doubles = 0;
    network.shuffles = 0;
    for (const a of nodes) {
      a.fuse = undefined;
      a.thaw();
      a.failDisk(undefined);
      for (const b of nodes) {
        if (a === b) continue;
        const way = network.way(a.id, b.id);
        if (way.silent) this.#open(a, b);
        way.delay = Math.min(way.delay, 10);
      }
    }
    for (const node of nodes) if (!node.up) node.start();
  }

  /** Bytes vanish between two groups of nodes, both ways. Returns what ends it. */
  cut(left: readonly SimNode[], right: readonly SimNode[]): () => void {
    const { network } = this.#world;
    for (const a of left) {
      for (const b of right) {
        network.way(a.id, b.id).silent = true;
        network.way(b.id, a.id).silent = true;
      }
    }
    return () => {
      for (const a of left) for (const b of right) this.#open(a, b);
    };
  }

  #strike(): void {
    const { nodes, random } = this.#world;
    const node = nodes[Math.floor(random() * nodes.length)];
    if (node === undefined) return;
    let draw = random() * TOTAL;
    for (const [fault, weight] of Object.entries(WEIGHTS)) {
      draw -= weight;
      if (draw < 0) return this.#do(fault as Fault, node);
    }
  }

  #do(fault: Fault, node: SimNode): void {
    const { clock, random, tell } = this.#world;
    switch (fault) {
      case "crash":
        return this.#crash(node);
      case "crashAtStore": {
        const where = random() < 0.5 ? "before" : "after";
        if (node.up) node.fuse = { left: 1 + Math.floor(random() * 6), where, blow: () => this.#crash(node) };
        return;
      }
      case "stop":
        if (!node.up || node.frozen) return;
        tell(`${node.id} stops`);
        this.#world.bereave(node, false);
        node.stop();
        return this.#startLater(node);
      case "freeze":
        if (!node.up || node.frozen) return;
        tell(`${node.id} stands still`);
        node.freeze();
        return void clock.after(500 + random() * 20_000, () => node.thaw());
      case "fullDisk":
      case "badDisk":
        return this.#failDisk(fault, node);
      default:
        return this.#between(fault, node);
    }
  }

  #between(fault: "reset" | "silence" | "delay", node: SimNode): void {
    const { clock, network, nodes, random, tell } = this.#world;
    // Mostly where there is a link.
    const neighbours = [...(node.engine?.links.list() ?? [])].map((link) => nodes.find(({ id }) => id === link.peer));
    const among = neighbours.length > 0 && random() < 0.8 ? neighbours : nodes;
    const other = among[Math.floor(random() * among.length)];
    if (other === undefined || other === node) return;
    if (fault === "reset") {
      tell(`${node.id} - ${other.id} reset`);
      network.reset(node.id, other.id);
    } else if (fault === "silence") {
      const oneSided = random() < 0.5;
      tell(`${node.id} ${oneSided ? ">" : "-"} ${other.id} silent`);
      network.way(node.id, other.id).silent = true;
      if (!oneSided) network.way(other.id, node.id).silent = true;
      clock.after(1_000 + random() * 25_000, () => this.#over || this.#open(node, other));
    } else {
      network.way(node.id, other.id).delay = random() < 0.3 ? random() * 5_000 : random() * 50;
    }
  }

  #failDisk(fault: "fullDisk" | "badDisk", node: SimNode): void {
    const { clock, random, tell } = this.#world;
    tell(`the disk of ${node.id} ${fault === "fullDisk" ? "is full" : "fails"}`);
    node.failDisk(fault === "fullDisk" ? "STORE_FULL" : "STORE_CORRUPT");
    clock.after(random() * 8_000, () => node.failDisk(undefined));
  }

  #crash(node: SimNode): void {
    const { random, tell } = this.#world;
    if (!node.up) return;
    const wipe = random() < 0.1;
    tell(`${node.id} crashes${wipe ? " and loses its disk" : ""}`);
    this.#world.bereave(node, wipe);
    node.crash(wipe);
    this.#startLater(node);
  }

  #startLater(node: SimNode): void {
    const { clock, random } = this.#world;
    const jump = (random() - 0.5) * 7_200_000;
    if (random() < 0.2) node.wallOffset = (this.#world.clocksAgree ? 0 : node.wallOffset) + (this.#world.clocksAgree ? jump * AGREE : jump);
    clock.after(200 + random() * 8_000, () => {
      if (node.up || this.#over) return;
      // What it says without its new epoch on the disk, its next life would contradict.
      if (random() < FULL_AT_START) this.#failDisk("fullDisk", node);
      node.start();
    });
  }

  /** What was lost on the way is lost: TCP would have given up, or sent it again; here the connection breaks. */
  #open(a: SimNode, b: SimNode): void {
    const { network } = this.#world;
    network.way(a.id, b.id).silent = false;
    network.way(b.id, a.id).silent = false;
    network.reset(a.id, b.id);
  }
}
