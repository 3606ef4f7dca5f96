import { expect } from "vitest";
import { Heap } from "../../sim/heap.ts";
import { type NodeId, nodeId } from "../../../src/core/ids.ts";
import type { Random } from "../../../src/core/instant.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { type LinkId, Routing, type RoutingEffect, type RoutingInput, type RoutingOptions } from "../../../src/routing/machine.ts";

/** Uniform in [0, 1), the same for the same seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

interface Disk {
  epoch: number;
  boots: string[];
}

interface Station {
  readonly id: NodeId;
  readonly options: Partial<RoutingOptions>;
  disk: Disk;
  routing: Routing | undefined;
  effects: RoutingEffect[];
  wakes: number;
}

/** A cable between two stations; a session runs over it whenever both are up and it is not cut. */
export interface Cable {
  readonly a: string;
  readonly b: string;
  readonly cost: number;
  whole: boolean;
  session: Session | undefined;
}

interface Session {
  readonly cable: Cable;
  readonly links: readonly [LinkId, LinkId];
  readonly ends: readonly [Station, Station];
  readonly machines: readonly [Routing, Routing];
  /** When the last frame to each end arrives: bytes stay in order. */
  readonly arrival: [number, number];
  open: boolean;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export interface FakeMeshOptions {
  readonly seed?: number;
  /** Milliseconds that a frame takes; default 1. */
  readonly delay?: (random: Random) => number;
  /** Milliseconds until a lost session is noticed and dialled anew; defaults 1 and 50. */
  readonly notice?: (random: Random) => number;
  readonly redial?: (random: Random) => number;
}

/** Routing machines over fake links in virtual time. Checks at every step that no version of a node falls in any database. */
export class FakeMesh {
  now = 1_000;
  readonly random: Random;
  readonly stations = new Map<string, Station>();
  readonly cables: Cable[] = [];
  /** Frames sent so far, and those of them that no one received because the session had ended. */
  frames = 0;
  steps = 0;
  readonly #options: FakeMeshOptions;
  readonly #versions = new WeakMap<Routing, Map<NodeId, { epoch: number; sequence: number }>>();
  readonly #events = new Heap<Event>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  #order = 0;
  #nextLink = 1;

  constructor(options: FakeMeshOptions = {}) {
    this.#options = options;
    this.random = seeded(options.seed ?? 1);
  }

  add(id: string, options: Partial<RoutingOptions> = {}): Routing {
    const station: Station = { id: nodeId(id), options, disk: { epoch: 0, boots: [] }, routing: undefined, effects: [], wakes: 0 };
    this.stations.set(id, station);
    return this.start(id);
  }

  start(id: string): Routing {
    const station = this.#station(id);
    const boot = this.#boot();
    station.disk.epoch++;
    station.routing = new Routing({
      id: station.id,
      boot,
      epoch: station.disk.epoch,
      recentBoots: [...station.disk.boots],
      random: this.random,
      version: "0.1.0",
      groups: [],
      leaf: false,
      ephemeral: false,
      ...station.options,
    });
    station.disk.boots = [...station.disk.boots, boot].slice(-16);
    this.#versions.set(station.routing, new Map());
    for (const cable of this.cables) if (cable.a === id || cable.b === id) this.#open(cable);
    return station.routing;
  }

  /** Ends the process of `id`; with `wipe` its disk is lost too. */
  crash(id: string, wipe = false): void {
    const station = this.#station(id);
    station.routing = undefined;
    if (wipe) station.disk = { epoch: 0, boots: [] };
    for (const cable of this.cables) if (cable.a === id || cable.b === id) this.#close(cable);
  }

  connect(a: string, b: string, cost = 1): Cable {
    const cable: Cable = { a, b, cost, whole: true, session: undefined };
    this.cables.push(cable);
    this.#open(cable);
    return cable;
  }

  cut(cable: Cable): void {
    cable.whole = false;
    this.#close(cable);
  }

  heal(cable: Cable): void {
    cable.whole = true;
    this.#open(cable);
  }

  routing(id: string): Routing {
    const routing = this.#station(id).routing;
    if (routing === undefined) expect.unreachable(`${id} is not running`);
    return routing;
  }

  effects<T extends RoutingEffect["type"]>(id: string, type: T): Extract<RoutingEffect, { type: T }>[] {
    return this.#station(id).effects.filter((effect): effect is Extract<RoutingEffect, { type: T }> => effect.type === type);
  }

  input(id: string, input: RoutingInput): void {
    const station = this.#station(id);
    if (station.routing !== undefined) this.#step(station, station.routing, input);
  }

  /** The link of `id` to `peer`, where there is a session. */
  link(id: string, peer: string): LinkId {
    for (const { session } of this.cables) {
      if (session === undefined) continue;
      if (session.ends[0].id === id && session.ends[1].id === peer) return session.links[0];
      if (session.ends[1].id === id && session.ends[0].id === peer) return session.links[1];
    }
    return expect.unreachable(`no link from ${id} to ${peer}`);
  }

  at(delay: number, run: () => void): void {
    this.#events.push({ at: this.now + delay, order: this.#order++, run });
  }

  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const event = this.#events.peek();
      let due: Station | undefined;
      let wake = Number.POSITIVE_INFINITY;
      for (const station of this.stations.values()) {
        const at = station.routing?.nextWake();
        if (at !== undefined && at < wake) {
          wake = at;
          due = station;
        }
      }
      const next = Math.min(event?.at ?? Number.POSITIVE_INFINITY, wake);
      if (next > end) break;
      if (next > this.now) for (const station of this.stations.values()) station.wakes = 0;
      this.now = Math.max(this.now, next);
      if (event !== undefined && event.at <= wake) {
        this.#events.pop();
        event.run();
      } else if (due?.routing !== undefined) {
        expect(++due.wakes, `${due.id} asks to be woken again and again at ${this.now}`).toBeLessThan(5);
        this.#step(due, due.routing, { type: "wake" });
      }
    }
    this.now = end;
  }

  /** Every running node's table is that of Dijkstra over the cables, up to what R10 allows, and following it leads to the destination. */
  expectTrueRoutes(): void {
    const running = [...this.stations.values()].filter(({ routing }) => routing !== undefined).map(({ id }) => id);
    for (const from of running) {
      const truth = this.trueCosts(from);
      for (const to of running) {
        if (to === from) continue;
        const route = this.routing(from).route(to);
        const cost = truth.get(to);
        if (cost === undefined) {
          expect(route, `${from} has a route to ${to}, which is cut off`).toBeUndefined();
          continue;
        }
        expect(route?.cost, `${from} to ${to}`).toBeGreaterThanOrEqual(cost);
        if (route !== undefined && route.cost !== cost)
          expect(cost, `${from} to ${to} costs ${route.cost}`).toBeGreaterThan(0.9 * route.cost);
        this.walk(from, to);
      }
    }
  }

  /** Every pair that could reach each other does, by whatever way: links that flapped may be in no one's map but their ends'. */
  expectReachable(): void {
    const running = [...this.stations.values()].filter(({ routing }) => routing !== undefined).map(({ id }) => id);
    for (const from of running) {
      for (const to of this.trueCosts(from).keys()) if (to !== from) this.walk(from, to);
    }
  }

  /** The nodes that a frame passes on its way; fails where it does not arrive within 32 hops. */
  walk(from: string, to: string): string[] {
    const path = [from];
    const { high, low } = hashNodeId(to);
    for (let at = from; at !== to; at = path.at(-1) as string) {
      const link = this.routing(at).nextHop(high, low);
      const next = link === undefined ? undefined : this.#farEnd(at, link);
      expect(next, `${path.join(" > ")} has no way on to ${to}`).toBeDefined();
      path.push(next as string);
      expect(path.length, `a loop: ${path.join(" > ")} to ${to}`).toBeLessThanOrEqual(33);
    }
    return path;
  }

  /** Bellman and Ford's answer over the cables that are whole; leaf, draining and ephemeral nodes are ends only. */
  trueCosts(from: string): Map<string, number> {
    const costs = new Map([[from, 0]]);
    for (let changed = true; changed; ) {
      changed = false;
      for (const { a, b, cost, session } of this.cables) {
        if (session?.open !== true) continue;
        for (const [near, far] of [
          [a, b],
          [b, a],
        ] as const) {
          const base = costs.get(near);
          if (base === undefined || (near !== from && this.#isEnd(near))) continue;
          if (base + cost >= (costs.get(far) ?? Number.POSITIVE_INFINITY)) continue;
          costs.set(far, base + cost);
          changed = true;
        }
      }
    }
    return costs;
  }

  #isEnd(id: string): boolean {
    const own = this.routing(id).advertisement(nodeId(id));
    return own === undefined || own.leaf || own.draining || own.ephemeral;
  }

  #farEnd(from: string, link: LinkId): string | undefined {
    for (const { session } of this.cables) {
      if (session?.open !== true) continue;
      if (session.ends[0].id === from && session.links[0] === link) return session.ends[1].id;
      if (session.ends[1].id === from && session.links[1] === link) return session.ends[0].id;
    }
    return undefined;
  }

  #station(id: string): Station {
    return this.stations.get(id) ?? expect.unreachable(`no station ${id}`);
  }

  #boot(): string {
    let boot = "";
    for (let i = 0; i < 32; i++) boot += Math.floor(this.random() * 16).toString(16);
    return boot;
  }

  #open(cable: Cable): void {
    if (!cable.whole || cable.session !== undefined) return;
    const a = this.stations.get(cable.a);
    const b = this.stations.get(cable.b);
    if (a?.routing === undefined || b?.routing === undefined) return;
    const session: Session = {
      cable,
      ends: [a, b],
      machines: [a.routing, b.routing],
      links: [this.#nextLink++, this.#nextLink++],
      arrival: [this.now, this.now],
      open: true,
    };
    cable.session = session;
    for (const end of [0, 1] as const) {
      const peer = session.ends[1 - end] as Station;
      this.#step(session.ends[end], session.machines[end], {
        type: "link-up",
        link: session.links[end],
        peer: peer.options.id ?? peer.id,
        cost: cable.cost,
        ephemeral: peer.options.ephemeral ?? false,
      });
    }
  }

  #close(cable: Cable): void {
    const session = cable.session;
    if (session === undefined) return;
    session.open = false;
    cable.session = undefined;
    for (const end of [0, 1] as const) {
      this.at(this.#options.notice?.(this.random) ?? 1, () => {
        if (session.ends[end].routing !== session.machines[end]) return;
        this.#step(session.ends[end], session.machines[end], { type: "link-down", link: session.links[end] });
      });
    }
    this.at(this.#options.redial?.(this.random) ?? 50, () => this.#open(cable));
  }

  #step(station: Station, routing: Routing, input: RoutingInput): void {
    this.steps++;
    const effects = routing.step(this.now, input);
    if (station.routing !== routing) return;
    station.effects.push(...effects);
    if (input.type === "frame" && input.kind === FRAME.advertisements) this.#checkVersions(routing);
    for (const effect of effects) {
      if (effect.type === "send") this.#send(routing, effect.link, effect.kind, effect.body);
      else if (effect.type === "persist") station.disk.epoch = Math.max(station.disk.epoch, effect.epoch);
      else if (effect.type === "duplicate") this.at(0, () => this.crash(station.id));
      else if (effect.type === "violation") {
        const cable = this.cables.find(({ session }) => session?.links.includes(effect.link));
        if (cable !== undefined) this.at(0, () => this.#close(cable));
      }
    }
  }

  #send(from: Routing, link: LinkId, kind: number, body: Uint8Array): void {
    const session = this.cables.find(({ session: one }) => one?.links.includes(link))?.session;
    if (session === undefined || !session.open) return;
    const end = session.machines[0] === from ? 1 : 0;
    this.frames++;
    expect(body.length).toBeLessThanOrEqual(64 * 1024 - 8);
    const at = Math.max(session.arrival[end], this.now + (this.#options.delay?.(this.random) ?? 1));
    session.arrival[end] = at;
    this.at(at - this.now, () => {
      if (!session.open || session.ends[end].routing !== session.machines[end]) return;
      this.#step(session.ends[end], session.machines[end], { type: "frame", link: session.links[end], kind, body });
    });
  }

  #checkVersions(routing: Routing): void {
    const versions = this.#versions.get(routing);
    if (versions === undefined) return;
    for (const { node, epoch, sequence } of routing.nodes()) {
      const before = versions.get(node);
      if (before !== undefined && before.epoch === epoch && before.sequence === sequence) continue;
      if (before !== undefined) {
        const fell = epoch < before.epoch || (epoch === before.epoch && sequence < before.sequence);
        expect(fell, `${node} fell from ${before.epoch}.${before.sequence} to ${epoch}.${sequence}`).toBe(false);
      }
      versions.set(node, { epoch, sequence });
    }
    // What was forgotten may begin again.
    for (const node of versions.keys()) if (routing.advertisement(node) === undefined) versions.delete(node);
  }
}

/** Every node of the mesh runs, and every pair of them should be linked as drawn. `edges`: "a-b" or "a-b:cost". */
export function drawn(mesh: FakeMesh, edges: readonly string[]): Map<string, Cable> {
  const cables = new Map<string, Cable>();
  for (const edge of edges) {
    const [ends, cost] = edge.split(":");
    const [a, b] = (ends as string).split("-") as [string, string];
    for (const id of [a, b]) if (!mesh.stations.has(id)) mesh.add(id);
    cables.set(`${a}-${b}`, mesh.connect(a, b, cost === undefined ? 1 : Number(cost)));
  }
  return cables;
}
