import type { MessageId } from "../core/ids.ts";
import type { ActionFacts, PluginFacts } from "./types.ts";

/** What a lane needs to know of a work that waits in it. */
export interface Waiting {
  readonly id: MessageId;
  /** The order of acceptance. */
  readonly order: number;
  held: boolean;
}

interface PluginSlots {
  limit: number;
  taken: number;
}

/** The works of one action: those that wait, and how many run. */
export interface Lane<W extends Waiting> {
  readonly plugin: string;
  readonly action: string;
  readonly slots: PluginSlots;
  /** Its works take none of the node's slots. */
  readonly apart: boolean;
  facts: ActionFacts;
  limit: number;
  taken: number;
  /** In the order of acceptance. */
  readonly waiting: Map<MessageId, W>;
  /** Whether its plugin and action still exist. */
  known: boolean;
}

/**
 * First come, first served over all actions, except that a work whose plugin or action is at its limit, or which is held,
 * lets those behind it pass. Each action has a lane, so that finding the next costs as much as there are lanes, not works.
 */
export class Lanes<W extends Waiting> {
  readonly #lanes = new Map<string, Lane<W>>();
  readonly #plugins = new Map<string, PluginFacts>();
  readonly #slots = new Map<string, PluginSlots>();
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Slots of the node in use. */
  get taken(): number {
    return this.#taken;
  }

  get plugins(): ReadonlyMap<string, PluginFacts> {
    return this.#plugins;
  }

  /** Replaces what is known; returns the works that wait for what is gone. */
  replace(plugins: readonly PluginFacts[]): W[] {
    this.#plugins.clear();
    for (const plugin of plugins) this.#plugins.set(plugin.name, plugin);
    const orphans: W[] = [];
    for (const [key, lane] of this.#lanes) {
      const plugin = this.#plugins.get(lane.plugin);
      const facts = plugin?.actions.get(lane.action);
      lane.known = facts !== undefined;
      if (plugin !== undefined && facts !== undefined) {
        lane.facts = facts;
        lane.limit = facts.concurrency ?? Number.POSITIVE_INFINITY;
        lane.slots.limit = plugin.concurrency ?? Number.POSITIVE_INFINITY;
      } else {
        orphans.push(...lane.waiting.values());
        lane.waiting.clear();
        if (lane.taken === 0) this.#forget(key, lane);
      }
    }
    return orphans;
  }

  /** The lane of a directive that was asked for before, as long as something waits or runs in it, or its action exists. */
  get(directive: string): Lane<W> | undefined {
    return this.#lanes.get(directive);
  }

  /** The lane of a known action. */
  lane(plugin: PluginFacts, action: string, facts: ActionFacts): Lane<W> {
    const key = `${plugin.name}:${action}`;
    const present = this.#lanes.get(key);
    if (present !== undefined) return present;
    const slots = this.#slots.get(plugin.name) ?? { limit: 0, taken: 0 };
    slots.limit = plugin.concurrency ?? Number.POSITIVE_INFINITY;
    this.#slots.set(plugin.name, slots);
    const lane: Lane<W> = {
      plugin: plugin.name,
      action,
      slots,
      apart: plugin.apart ?? false,
      facts,
      limit: facts.concurrency ?? Number.POSITIVE_INFINITY,
      taken: 0,
      waiting: new Map(),
      known: true,
    };
    this.#lanes.set(key, lane);
    return lane;
  }

  hasRoom(lane: Lane<W>): boolean {
    return (lane.apart || this.#taken < this.#limit) && lane.slots.taken < lane.slots.limit && lane.taken < lane.limit;
  }

  /** The work that may begin now, if any; it has left its lane and taken its slots. */
  next(): W | undefined {
    let from: Lane<W> | undefined;
    let best: W | undefined;
    for (const lane of this.#lanes.values()) {
      if (lane.waiting.size === 0 || !this.hasRoom(lane)) continue;
      const work = firstReady(lane);
      if (work !== undefined && (best === undefined || work.order < best.order)) [from, best] = [lane, work];
    }
    if (from === undefined || best === undefined) return undefined;
    from.waiting.delete(best.id);
    this.take(from);
    return best;
  }

  /** A work of the lane begins, which has room. */
  take(lane: Lane<W>): void {
    lane.taken++;
    lane.slots.taken++;
    if (!lane.apart) this.#taken++;
  }

  release(lane: Lane<W>): void {
    lane.taken--;
    lane.slots.taken--;
    if (!lane.apart) this.#taken--;
    if (!lane.known && lane.taken === 0) this.#forget(`${lane.plugin}:${lane.action}`, lane);
  }

  #forget(key: string, lane: Lane<W>): void {
    this.#lanes.delete(key);
    if (lane.slots.taken === 0 && !this.#plugins.has(lane.plugin)) this.#slots.delete(lane.plugin);
  }
}

function firstReady<W extends Waiting>(lane: Lane<W>): W | undefined {
  for (const work of lane.waiting.values()) if (!work.held) return work;
  return undefined;
}
