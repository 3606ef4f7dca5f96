import { hashNodeId } from "../../src/core/node-hash.ts";
import { type NodeId, nodeId } from "../../src/core/ids.ts";
import { Routing } from "../../src/routing/machine.ts";
import { type Advertisement, encodeAdvertisement } from "../../src/wire/advertisement.ts";
import { BATCH_FLAG, BatchWriter, DIGEST_FLAG, encodeDigest } from "../../src/wire/digest.ts";
import { FRAME } from "../../src/wire/frame.ts";
import { seeded } from "./random.ts";

/** A node in a mesh of `count`, in which each has four neighbours, and what a change far away costs it. */
class Bystander {
  readonly #said: Advertisement[];
  readonly #routing: Routing;
  #now = 0;

  constructor(count: number) {
    const random = seeded(count);
    const names = Array.from({ length: count }, (_, i) => nodeId(`node-${i}`));
    const stride = 1 + 2 * Math.floor(count / 5);
    const neighbours = names.map((_, i) => [i + 1, i - 1, i + stride, i - stride].map((to) => names[(to + count) % count] as NodeId));
    const boot = "00112233445566778899aabbccddeeff";
    const common = { boot, groups: [], leaf: false, ephemeral: false, version: "0.0.0" };
    this.#said = names.map((node, i) => ({
      ...common,
      node,
      epoch: 1,
      sequence: 1,
      uptime: 0,
      links: (neighbours[i] ?? []).map((peer) => ({ peer, cost: 1 })),
      plugins: [{ name: "echo", version: "1.0.0", actions: ["run", "count", "sink"] }],
      load: { running: 0, queued: 0 },
      draining: false,
      withdrawn: false,
    }));
    const [self = nodeId("none")] = names;
    this.#routing = new Routing({ ...common, id: self, epoch: 1, recentBoots: [], random });
    for (const [link, peer] of (neighbours[0] ?? []).entries()) this.#join(link + 1, peer, link === 0);
    this.#settle();
    this.check();
  }

  /** Throws where a node has no route. */
  check(): void {
    const missing = this.#said.slice(1).filter(({ node }) => this.#routing.route(node) === undefined);
    if (missing.length > 0) throw new RangeError(`${missing.length} nodes have no route`);
  }

  /** One link far away goes, or comes back: both its ends say so. Milliseconds of this node's loop, all steps together. */
  change(i: number): number {
    const at = 10 + ((i * 37) % (this.#said.length - 20));
    const [near, far] = [this.#said[at], this.#said[at + 1]];
    if (near === undefined || far === undefined) throw new RangeError("no such node");
    const up = near.links.some(({ peer }) => peer === far.node);
    const said = [this.#toggled(at, far.node, up), this.#toggled(at + 1, near.node, up)];
    this.#now += 1_000;
    const body = batch(said, 0);
    const links = this.#routing.edges().length;
    const began = performance.now();
    this.#routing.step(this.#now, { type: "frame", link: 1, kind: FRAME.advertisements, body });
    this.#now += 200;
    this.#routing.step(this.#now, { type: "wake" });
    const took = performance.now() - began;
    const { length } = this.#routing.edges();
    if (length !== links + (up ? -1 : 1) || (this.#routing.nextWake() ?? Infinity) < this.#now + 200)
      throw new RangeError("a change was not computed");
    return took;
  }

  #toggled(at: number, peer: NodeId, up: boolean): Advertisement {
    const before = this.#said[at] as Advertisement;
    const links = up ? before.links.filter((link) => link.peer !== peer) : [...before.links, { peer, cost: 1 }];
    const said = { ...before, sequence: before.sequence + 1, links };
    this.#said[at] = said;
    return said;
  }

  #join(link: number, peer: NodeId, first: boolean): void {
    this.#routing.step(this.#now, { type: "link-up", link, peer, cost: 1, ephemeral: false });
    const others = this.#said.slice(1);
    const known = first ? [] : others.map(({ node }) => ({ ...hashNodeId(node), epoch: 1, sequence: 1, boot: 0x44556677 }));
    for (const body of encodeDigest(known)) this.#frame(link, FRAME.digest, body);
    const writer = new BatchWriter(BATCH_FLAG.exchange);
    if (first) for (const said of others) writer.add(encodeAdvertisement(said), 0);
    for (const body of writer.finish(BATCH_FLAG.end)) this.#frame(link, FRAME.advertisements, body);
  }

  #frame(link: number, kind: number, body: Uint8Array): void {
    this.#routing.step(this.#now, { type: "frame", link, kind, body });
  }

  #settle(): void {
    for (let i = 0; i < 5; i++) {
      this.#now += 1_000;
      this.#routing.step(this.#now, { type: "wake" });
    }
  }
}

function batch(said: readonly Advertisement[], flags: number): Uint8Array {
  const writer = new BatchWriter(flags);
  for (const each of said) writer.add(encodeAdvertisement(each), 0);
  const [body] = writer.finish();
  if (body === undefined || (body[0] ?? 0) === DIGEST_FLAG.last) throw new RangeError("not one batch");
  return body;
}

/** Milliseconds that each of so many link changes takes one node of a mesh of `count`, shortest first. `warm`: before them. No more than 130 in all: then advertisements age out. */
export function costsOfChanges(count: number, changes: number, warm = 30): readonly number[] {
  const bystander = new Bystander(count);
  for (let i = 0; i < warm; i++) bystander.change(i);
  const times = Array.from({ length: changes }, (_, i) => bystander.change(i)).toSorted((a, b) => a - b);
  bystander.check();
  return times;
}
