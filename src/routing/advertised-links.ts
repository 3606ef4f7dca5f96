import type { NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { Damping } from "./damping.ts";
import type { Database } from "./database.ts";
import type { Links } from "./links.ts";
import type { NodeRecord } from "./record.ts";
import type { AdvertisedLinks } from "./self.ts";

/** Which links this node tells others of: all that carry traffic, but for those that flap and are not the only way (R11). */
export class AdvertisedLinkChoice {
  readonly #database: Database;
  readonly #links: Links;
  readonly #self: NodeRecord;
  readonly #damping = new Damping();
  #suppressed = 0;
  #reviewAt: Instant | undefined;

  constructor(database: Database, links: Links, self: NodeRecord) {
    this.#database = database;
    this.#links = links;
    this.#self = self;
  }

  /** When a suppressed link may be told of again. */
  get reviewAt(): Instant | undefined {
    return this.#reviewAt;
  }

  /** Whether some link is suppressed, so that each new map asks for another look. */
  get suppressing(): boolean {
    return this.#suppressed > 0;
  }

  /** Whether it is time to choose anew; asked once. */
  review(now: Instant): boolean {
    if (this.#reviewAt === undefined || this.#reviewAt > now) return false;
    this.#reviewAt = undefined;
    return true;
  }

  lost(now: Instant, peer: NodeId): void {
    this.#damping.lost(now, peer);
  }

  choose(now: Instant): AdvertisedLinks {
    this.#reviewAt = undefined;
    const links: { peer: NodeId; cost: number }[] = [];
    const starts: NodeRecord[] = [];
    const flapping: { peer: NodeId; cost: number }[] = [];
    for (const { peer, cost } of this.#links.best()) {
      if (this.#damping.suppressed(now, peer)) {
        flapping.push({ peer, cost: cost / 1000 });
        continue;
      }
      links.push({ peer, cost: cost / 1000 });
      this.#start(starts, peer);
    }
    this.#suppressed = flapping.length;
    for (const link of flapping) {
      const reuseAt = this.#damping.reuseAt(link.peer);
      if (reuseAt !== undefined && (this.#reviewAt === undefined || reuseAt < this.#reviewAt)) this.#reviewAt = reuseAt;
      const record = this.#database.find(link.peer);
      if (record !== undefined && record.live && this.#database.graph.reaches(this.#self, starts, record)) continue;
      // Until it is lost again: two neighbours of one node that each relied on the other would take turns for ever.
      this.#damping.forgive(link.peer);
      links.push(link);
      this.#start(starts, link.peer);
    }
    return links.toSorted((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  #start(starts: NodeRecord[], peer: NodeId): void {
    const record = this.#database.find(peer);
    if (record?.live === true) starts.push(record);
  }
}
