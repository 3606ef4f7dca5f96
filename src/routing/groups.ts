import type { Database } from "./database.ts";
import type { Member } from "./types.ts";

/** Who is in a group. An answer is kept until what a node says, or a way to one, changes. */
export class Groups {
  readonly #database: Database;
  #known = new Map<string, readonly Member[]>();
  #databaseVersion = -1;
  #tableVersion = -1;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Reachable members, the nearest first, ties on node id; this node itself at cost 0. */
  members(group: string, tableVersion: number): readonly Member[] {
    if (this.#databaseVersion !== this.#database.version || this.#tableVersion !== tableVersion) {
      this.#known = new Map();
      this.#databaseVersion = this.#database.version;
      this.#tableVersion = tableVersion;
    }
    let members = this.#known.get(group);
    if (members === undefined) {
      members = this.#search(group);
      if (this.#known.size < KEPT) this.#known.set(group, members);
    }
    return members;
  }

  #search(group: string): readonly Member[] {
    const members: Member[] = [];
    for (const record of this.#database.graph.records) {
      if (record === undefined || !record.reachable) continue;
      const advertisement = record.advertisement;
      if (advertisement === undefined || !advertisement.groups.includes(group)) continue;
      members.push({ node: record.id, cost: record.cost / 1000, advertisement });
    }
    return members.toSorted((a, b) => a.cost - b.cost || (a.node < b.node ? -1 : 1));
  }
}

const KEPT = 1_024;
