import { MeshError } from "../../core/errors.ts";
import { isGroupName, isNodeId, type NodeId } from "../../core/ids.ts";
import type { Member } from "../../routing/types.ts";
import type { EachResponse, Response, Work, WorkEvent, WorkResult, WorkState } from "../api.ts";
import { Emitter } from "../emitter.ts";
import { abortable } from "../signals.ts";

export type Target = { readonly type: "node"; readonly node: NodeId } | GroupTarget;

export interface GroupTarget {
  readonly type: "any" | "all";
  readonly group: string;
}

/** Reads a node id, `any:GROUP` or `all:GROUP`. Throws INVALID_ARGUMENT. */
export function parseTarget(text: string): Target {
  const grouped = /^(any|all):(.*)$/.exec(text);
  if (grouped !== null) {
    const group = grouped[2] ?? "";
    if (!isGroupName(group))
      throw new MeshError("INVALID_ARGUMENT", `"${grouped[2] ?? ""}" is no group: use 1 to 64 characters of A-Z a-z 0-9 . _ -`);
    return { type: grouped[1] === "any" ? "any" : "all", group };
  }
  if (!isNodeId(text)) throw new MeshError("INVALID_ARGUMENT", `"${text}" is no target: use a node id, any:GROUP or all:GROUP`);
  return { type: "node", node: text };
}

/** The target that was read last is remembered: one program sends many works to one node. */
export class RecentTarget {
  #text: string | undefined;
  #target: Target | undefined;

  /** As `parseTarget`. */
  read(text: string): Target {
    if (text === this.#text && this.#target !== undefined) return this.#target;
    this.#target = parseTarget(text);
    this.#text = text;
    return this.#target;
  }
}

/** Members that say that they can do the work: free ones first, then the nearest. */
export function candidates(members: readonly Member[], directive: string): readonly NodeId[] {
  const [plugin, action = ""] = directive.split(":");
  return members
    .filter(({ advertisement }) => advertisement.plugins.some(({ name, actions }) => name === plugin && actions.includes(action)))
    .map(({ node, cost, advertisement }) => ({ node, rank: [advertisement.load.queued > 0 ? 1 : 0, cost, advertisement.load.running] }))
    .sort((a, b) => compare(a.rank, b.rank) || (a.node < b.node ? -1 : 1))
    .map(({ node }) => node);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** One work for each member of a group. Its own responses are all of theirs, as they come, numbered anew. */
export class GroupWork implements Work {
  readonly id: string;
  readonly node: string;
  readonly input = undefined;
  readonly members: readonly Work[];

  constructor(target: string, members: readonly Work[]) {
    this.id = members[0]?.id ?? "";
    this.node = target;
    this.members = members;
  }

  get state(): WorkState {
    const states = this.members.map(({ state }) => state);
    for (const state of ["running", "queued", "parked", "sent", "failed", "cancelled"] as const) if (states.includes(state)) return state;
    return "succeeded";
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Response> {
    const failures: unknown[] = [];
    let serial = 0;
    for await (const { response, error } of arrivals(this.members)) {
      if (response === undefined) failures.push(error);
      else yield numbered(response, ++serial);
    }
    if (failures.length > 0) throw failures[0];
  }

  async forEach(each: EachResponse, { signal }: { readonly signal?: AbortSignal } = {}): Promise<WorkResult> {
    const reading = this[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await abortable(reading.next(), signal);
        if (next.done === true) return await this.result();
        const busy = each(next.value);
        if (busy !== undefined) await abortable(busy, signal);
      }
    } finally {
      void reading.return(undefined);
    }
  }

  async *events(): AsyncGenerator<WorkEvent> {
    const merged = new Emitter<WorkEvent>();
    const reading = merged.read();
    const done = Promise.all(
      this.members.map(async (member) => {
        for await (const event of member.events()) merged.emit(event);
      }),
    ).then(() => merged.close());
    yield* reading;
    await done;
  }

  async cancel(): Promise<void> {
    await Promise.all(this.members.map((member) => member.cancel()));
  }

  /** Rejects with the first failure once all have ended. */
  async result(options: { readonly signal?: AbortSignal } = {}): Promise<WorkResult> {
    const settled = await Promise.allSettled(this.members.map((member) => member.result(options)));
    let responses = 0;
    for (const result of settled) {
      if (result.status === "rejected") throw result.reason;
      responses += result.value.responses;
    }
    return { state: "succeeded", responses, exitCode: undefined };
  }
}

interface Arrival {
  /** Undefined: the member failed. */
  readonly response?: Response;
  readonly error?: unknown;
}

/** The responses of all members as they come. A member is asked for its next one only once its last is done with. */
async function* arrivals(members: readonly Work[]): AsyncGenerator<Arrival> {
  const arrived: { readonly member: AsyncIterator<Response>; readonly done: boolean; readonly arrival: Arrival | undefined }[] = [];
  let wake: (() => void) | undefined;
  const ask = (member: AsyncIterator<Response>): void => {
    const take = (done: boolean, arrival?: Arrival): void => {
      arrived.push({ member, done, arrival });
      wake?.();
    };
    void member.next().then(
      ({ done, value }) => (done === true ? take(true) : take(false, { response: value })),
      (error: unknown) => take(true, { error }),
    );
  };
  const reading = new Set(members.map((member) => member[Symbol.asyncIterator]()));
  for (const member of reading) ask(member);
  try {
    while (reading.size > 0) {
      const next = arrived.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if (next.done) reading.delete(next.member);
      if (next.arrival !== undefined) yield next.arrival;
      if (!next.done) ask(next.member);
    }
  } finally {
    for (const member of reading) void member.return?.();
  }
}

function numbered(response: Response, serial: number): Response {
  return {
    serial,
    channel: response.channel,
    get payload() {
      return response.payload;
    },
    bytes: () => response.bytes(),
    text: () => response.text(),
    json: () => response.json(),
    stream: () => response.stream(),
  };
}
