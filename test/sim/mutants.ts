import type { Mode } from "./run.ts";

/** An edit of the sources: `find` stands once in `file`. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** A rule switched off. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Which runs must notice. */
  readonly mode: Mode | "both";
}

/** What the simulation must notice when it is missing. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "R2: the epoch is raised at each start",
    edits: [{ file: "src/node/life.ts", find: "epoch: before.epoch + 1", put: "epoch: 1" }],
    mode: "both",
  },
  {
    name: "R2: the epoch is on disk before it is used",
    edits: [
      {
        file: "src/node/life.ts",
        find: "saveLife(store, life, life.epoch, (failed) => done(failed, failed === undefined ? life : undefined));",
        put: "saveLife(store, life, life.epoch, () => undefined);\n    done(undefined, life);",
      },
    ],
    mode: "both",
  },
  {
    name: "R3: a node refutes what is newer than it has said",
    edits: [
      {
        file: "src/routing/self.ts",
        find: "    if (this.#above === undefined || compareVersions(version, this.#above) > 0) {",
        put: "    if (order < 0) {",
      },
    ],
    mode: "liveness",
  },
  {
    name: "R5: an edge counts where both ends list it",
    edits: [
      {
        file: "src/routing/graph.ts",
        find: "while (old.next()) if (costAt(now, before, old.start, old.length) === 0) this.#separate(record, old);",
        put: "void old;",
      },
    ],
    mode: "liveness",
  },
  {
    name: "R5: of two costs the greater counts",
    edits: [{ file: "src/routing/graph.ts", find: "const cost = Math.max(back, cursor.cost);", put: "const cost = cursor.cost;" }],
    mode: "liveness",
  },
  {
    name: "R6: a new adjacency exchanges what each side lacks",
    edits: [
      {
        file: "src/routing/exchange.ts",
        find: "if (shared(record) && !covered.has(record)) this.#queue.add(record);",
        put: "void shared, record;",
      },
    ],
    mode: "liveness",
  },
  {
    name: "R7: advertisements age out",
    edits: [{ file: "src/routing/database.ts", find: "else if (over.push(record) === ROUTING.sweepAtOnce) break;", put: "" }],
    mode: "liveness",
  },
  {
    name: "I8: what its origin has not signed is not taken",
    edits: [
      {
        file: "src/routing/intake.ts",
        find: "return signatures === undefined ? undefined : judgeAdvertisement(signatures, raw, layout);",
        put: "return void [signatures, raw, layout, judgeAdvertisement];",
      },
    ],
    mode: "lies",
  },
  {
    name: "I8: what was said in this node's own name is judged too",
    edits: [
      {
        file: "src/routing/intake.ts",
        find: "if (compareVersions(head, record) > 0 && !this.#isOwn(now, link, raw, layout, head, free)) return;",
        put: "",
      },
    ],
    mode: "lies",
  },
  {
    name: "what is unanswered is sent again",
    edits: [
      {
        file: "src/delivery/origin/origin.ts",
        find: "      return this.#keepers.ask(now, conversation, parkedAt);\n    this.#out.dispatch(now, conversation);",
        put: "      return this.#keepers.ask(now, conversation, parkedAt);\n    if (conversation.copies === 0) this.#out.dispatch(now, conversation);",
      },
    ],
    mode: "liveness",
  },
  {
    name: "what is unanswered is sent again by a timer, also where no route has changed",
    edits: [
      {
        file: "src/delivery/origin/dispatch.ts",
        find: "this.#timers.set(conversation, Math.min(now + conversation.wait, Math.max(now, conversation.expiresAt + GRACE)));",
        put: "this.#timers.set(conversation, Math.max(now, conversation.expiresAt + GRACE));",
      },
    ],
    mode: "liveness",
  },
  {
    name: "a message that was here runs no second time",
    edits: [
      {
        file: "src/delivery/destination/destination.ts",
        find: "    if (known !== undefined) return this.#again(known);",
        put: "",
      },
      {
        file: "src/delivery/destination/destination.ts",
        find: "if (this.#seen.has(id, peer) || this.#journal.has(id)) {",
        put: "if (Number.isNaN(now)) {",
      },
      {
        file: "src/delivery/destination/destination.ts",
        find: "if (!this.#seen.add(id, body.floor, now + header.ttl, peer)) {",
        put: "if (Number.isNaN(now)) {",
      },
    ],
    mode: "safety",
  },
  {
    name: "a durable message is on disk before it is offered and answered",
    edits: [
      {
        file: "src/delivery/destination/journal.ts",
        find: 'this.#disk.port.records.write([{ type: "put", key: PREFIX + id, value }], done);',
        put: 'this.#disk.port.records.write([{ type: "put", key: PREFIX + id, value }], () => undefined);\n    done(undefined);',
      },
    ],
    mode: "safety",
  },
  {
    name: "what a durable message is bound to is on disk before a copy leaves",
    edits: [
      {
        file: "src/delivery/origin/outbox.ts",
        find: 'this.#disk.port.records.write([{ type: "put", key: PREFIX + id, value }], done);',
        put: "done(undefined);",
      },
    ],
    mode: "safety",
  },
  {
    name: "a copy runs only in the life, or the store, that it is bound to",
    edits: [
      { file: "src/delivery/destination/destination.ts", find: "if (header.auxiliary !== life &&", put: "if (Number.isNaN(life) &&" },
    ],
    mode: "safety",
  },
  {
    name: "a parked message is off the disk before it is sent on",
    edits: [
      {
        file: "src/delivery/parking/park-queue.ts",
        find: "this.#port.records.write(operations, (kept) => {",
        put: "((_: unknown, after: (kept: MeshError | undefined) => void) => after(undefined))(operations, (kept) => {",
      },
    ],
    mode: "liveness",
  },
  {
    name: "the time to live goes on over a restart",
    edits: [
      {
        file: "src/delivery/parking/park-restore.ts",
        find: "this.#disk.clock.since(ageOf(value), now)",
        put: "0",
      },
    ],
    mode: "safety",
  },
  {
    name: "S2: a node takes only what is sealed",
    edits: [{ file: "src/sealing/sealing.ts", find: 'return this.#options.mode === "required" ? "plain" : frame;', put: "return frame;" }],
    mode: "hostile",
  },
  {
    name: "S3: what may be forgotten is not opened again",
    edits: [
      { file: "src/sealing/sealing.ts", find: 'if (now > session.first + LIFE + parts.ttl + TIMES.late) return "late";', put: "" },
      {
        file: "src/sealing/sealing.ts",
        find: 'if (age < -SKEW || age > LIFE + ttl + TIMES.late + SKEW) return "clock";',
        put: "void age;",
      },
    ],
    mode: "hostile",
  },
  {
    name: "S1: what comes unsealed in a node's own name it does not seal",
    edits: [
      {
        file: "src/node/engine/engine.ts",
        find: "(here || !isSealed(bytes, start))) return this.#impostor(link);",
        put: "here) return this.#impostor(link);",
      },
    ],
    mode: "hostile",
  },
];
