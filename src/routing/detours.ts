import type { Instant, Millis } from "../core/instant.ts";
import { type NodeHash, NodeHashMap } from "../core/node-hash.ts";
import type { Database } from "./database.ts";
import type { Link, Links } from "./links.ts";
import { ROUTING } from "./numbers.ts";
import { Paths } from "./paths.ts";
import { NO_LINK, type NodeRecord } from "./record.ts";
import type { LinkId } from "./types.ts";

/** Which way is taken to a node, since the best has failed. */
interface Detour {
  /** The best again, where all others have failed too. */
  readonly link: LinkId;
  readonly best: LinkId;
  /** What was sent over these was not answered; the best is the first. */
  readonly avoided: readonly LinkId[];
  readonly since: Instant;
  /** Something came from there by it. */
  proven: boolean;
}

/**
 * Ways round a neighbour that keeps its link and swallows what it should carry. Each end of a conversation sees for itself that nothing is
 * answered, and says what it says over another neighbour; the other end answers by where that came from.
 */
export class Detours {
  readonly #database: Database;
  readonly #links: Links;
  readonly #self: NodeRecord;
  readonly #detours = new NodeHashMap<Detour>();
  readonly #fromThere = new Paths();
  readonly #fromHere = new Paths();
  readonly #fromAvoided = new Paths();

  constructor(database: Database, links: Links, self: NodeRecord) {
    this.#database = database;
    this.#links = links;
    this.#self = self;
  }

  /** Whether there are any: without, each node is reached by the best way. */
  get any(): boolean {
    return this.#detours.size > 0;
  }

  /** The link that this node's own frames to that node take. */
  next(now: Instant, high: number, low: number): LinkId | undefined {
    const best = this.#bestTo(high, low);
    if (this.#detours.size === 0 || best === undefined) return best;
    return this.#detourTo(now, high, low, best)?.link ?? best;
  }

  /** What was said to that node so long ago is not answered. */
  silent(now: Instant, high: number, low: number, waited: Millis): void {
    const best = this.#bestTo(high, low);
    const record = this.#database.at(high, low);
    if (best === undefined || record === undefined) return;
    const before = this.#detourTo(now, high, low, best);
    // That went another way than what is said now.
    if (before !== undefined && now - waited < before.since) return;
    const avoided = before === undefined ? [best] : [...before.avoided, before.link];
    const link = this.#choose(record, avoided);
    if (link !== undefined) this.#take({ high, low }, { link, best, avoided, since: now, proven: false });
    else if (before !== undefined) this.#take({ high, low }, { link: best, best, avoided: [], since: now, proven: false });
  }

  /** Something that is truly of that node came by `link`; `asks`: it says that its sender has waited in vain for an answer. */
  heard(now: Instant, high: number, low: number, link: LinkId, asks: boolean): void {
    if (this.#detours.size === 0 && !asks) return;
    const best = this.#bestTo(high, low);
    if (best === undefined) return;
    const detour = this.#detourTo(now, high, low, best);
    if (detour?.link === link) detour.proven = link !== best;
    else if (detour !== undefined && link === best && !detour.proven) this.#detours.delete(high, low);
    else if (asks && link !== best && detour?.avoided.includes(link) !== true) this.#answerBy(now, { high, low }, link, best);
  }

  #answerBy(now: Instant, node: NodeHash, link: LinkId, best: LinkId): void {
    const record = this.#database.at(node.high, node.low);
    const others = [...this.#links.best()].filter((each) => each.id !== link).map(({ id }) => id);
    if (record !== undefined && this.#choose(record, [best], others) === link)
      this.#take(node, { link, best, avoided: [best], since: now, proven: true });
  }

  #take({ high, low }: NodeHash, detour: Detour): void {
    if (this.#detours.size >= ROUTING.detours && this.#detours.get(high, low) === undefined) this.#detours.clear();
    this.#detours.set(high, low, detour);
  }

  #bestTo(high: number, low: number): LinkId | undefined {
    const link = this.#database.at(high, low)?.nextLink ?? NO_LINK;
    return link === NO_LINK ? undefined : link;
  }

  /** It holds as long as what it goes round stays the best way. */
  #detourTo(now: Instant, high: number, low: number, best: LinkId): Detour | undefined {
    const detour = this.#detours.get(high, low);
    if (detour === undefined) return undefined;
    if (now < detour.since + ROUTING.detour && detour.best === best && this.#links.get(detour.link)?.usable === true) return detour;
    this.#detours.delete(high, low);
    return undefined;
  }

  /**
   * The link whose neighbour leads there, and not back to this node: first those that lead past all that is avoided, then the cheapest.
   * What hangs directly on this node nobody can swallow.
   */
  #choose(record: NodeRecord, avoided: readonly LinkId[], others: readonly LinkId[] = []): LinkId | undefined {
    const { graph } = this.#database;
    const direct = this.#links.get(record.nextLink)?.peer === record.id;
    if (direct || record.index < 0 || this.#self.index < 0) return undefined;
    this.#fromThere.run(graph, record.index);
    this.#fromHere.run(graph, this.#self.index);
    const toThere = this.#fromThere.distance;
    const candidates: { readonly link: Link; readonly index: number; readonly cost: number; caught: number }[] = [];
    for (const link of this.#links.best()) {
      const neighbour = this.#database.find(link.peer);
      if (neighbour === undefined || neighbour.index < 0 || avoided.includes(link.id) || others.includes(link.id)) continue;
      if (neighbour !== record && !neighbour.transit) continue;
      const rest = toThere[neighbour.index] as number;
      const back = (this.#fromHere.distance[neighbour.index] as number) + (toThere[this.#self.index] as number);
      if (rest < back) candidates.push({ link, index: neighbour.index, cost: link.cost + rest, caught: 0 });
    }
    for (const id of avoided) {
      const index = this.#database.find(this.#links.get(id)?.peer ?? this.#self.id)?.index ?? -1;
      if (index < 0) continue;
      this.#fromAvoided.run(graph, index);
      for (const candidate of candidates) {
        const over = (this.#fromAvoided.distance[candidate.index] as number) + (toThere[index] as number);
        if ((toThere[candidate.index] as number) >= over) candidate.caught++;
      }
    }
    return candidates.toSorted((a, b) => a.caught - b.caught || a.cost - b.cost)[0]?.link.id;
  }
}
