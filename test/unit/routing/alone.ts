import { nodeId } from "../../../src/core/ids.ts";
import { Routing, type RoutingEffect } from "../../../src/routing/machine.ts";
import type { Signatures } from "../../../src/routing/proof.ts";
import { type Advertisement, decodeAdvertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { BATCH_FLAG, BatchWriter, encodeDigest, readBatch } from "../../../src/wire/digest.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { seeded } from "./fake-mesh.ts";

export const id = nodeId;
export const BOOT = "00112233445566778899aabbccddeeff";

export function said(node: string, changes: Partial<Advertisement> = {}): Advertisement {
  return {
    node: id(node),
    epoch: 1,
    sequence: 1,
    boot: BOOT,
    uptime: 0,
    links: [],
    groups: [],
    plugins: [],
    load: { running: 0, queued: 0 },
    leaf: false,
    draining: false,
    ephemeral: false,
    withdrawn: false,
    version: "0.1.0",
    ...changes,
  };
}

export function batch(advertisements: readonly Advertisement[], flags = 0, age = 0): Uint8Array {
  const writer = new BatchWriter(flags & ~BATCH_FLAG.end);
  for (const advertisement of advertisements) writer.add(encodeAdvertisement(advertisement), age);
  return closed(writer, flags);
}

/** The same of what is encoded already. */
export function rawBatch(raws: readonly Uint8Array[], flags = 0, age = 0): Uint8Array {
  const writer = new BatchWriter(flags & ~BATCH_FLAG.end);
  for (const raw of raws) writer.add(raw, age);
  return closed(writer, flags);
}

function closed(writer: BatchWriter, flags: number): Uint8Array {
  const [body] = writer.finish(flags & BATCH_FLAG.end);
  return body as Uint8Array;
}

/** One node, "me", with a neighbour "peer" on link 1 that is played by the test. */
export class Alone {
  now = 1_000;
  readonly routing: Routing;

  constructor(options: { epoch?: number; boot?: string; recentBoots?: string[]; links?: number; signatures?: Signatures } = {}) {
    this.routing = new Routing({
      id: id("me"),
      boot: options.boot ?? "ffffffffffffffffffffffffffffffff",
      epoch: options.epoch ?? 1,
      recentBoots: options.recentBoots ?? [],
      random: seeded(1),
      version: "0.1.0",
      groups: [],
      leaf: false,
      ephemeral: false,
      signatures: options.signatures,
    });
  }

  up(link = 1, peer = "peer", cost = 1): readonly RoutingEffect[] {
    return this.routing.step(this.now, { type: "link-up", link, peer: id(peer), cost, ephemeral: false });
  }

  /** The neighbour knows nothing, says `links`, and ends the exchange. */
  join(link = 1, peer = "peer", changes: Partial<Advertisement> = {}): void {
    this.up(link, peer);
    this.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array, link);
    const links = [{ peer: id("me"), cost: 1 }];
    this.frame(FRAME.advertisements, batch([said(peer, { links, ...changes })], BATCH_FLAG.exchange | BATCH_FLAG.end), link);
  }

  frame(kind: number, body: Uint8Array, link = 1): readonly RoutingEffect[] {
    return this.routing.step(this.now, { type: "frame", link, kind, body });
  }

  flood(advertisements: readonly Advertisement[], link = 1): readonly RoutingEffect[] {
    return this.frame(FRAME.advertisements, batch(advertisements), link);
  }

  pass(milliseconds: number): RoutingEffect[] {
    const end = this.now + milliseconds;
    const effects: RoutingEffect[] = [];
    for (let wake = this.routing.nextWake(); wake !== undefined && wake <= end; wake = this.routing.nextWake()) {
      this.now = Math.max(this.now, wake);
      effects.push(...this.routing.step(this.now, { type: "wake" }));
    }
    this.now = end;
    return effects;
  }
}

export function ofType<T extends RoutingEffect["type"]>(effects: readonly RoutingEffect[], type: T): Extract<RoutingEffect, { type: T }>[] {
  return effects.filter((effect): effect is Extract<RoutingEffect, { type: T }> => effect.type === type);
}

/** The advertisements among what is sent, with the link. */
export function sent(effects: readonly RoutingEffect[]): { link: number; advertisement: Advertisement }[] {
  const all: { link: number; advertisement: Advertisement }[] = [];
  for (const effect of ofType(effects, "send")) {
    if (effect.kind !== FRAME.advertisements) continue;
    readBatch(effect.body, (_view, start, end) => {
      all.push({ link: effect.link, advertisement: decodeAdvertisement(effect.body.subarray(start, end)) });
    });
  }
  return all;
}
