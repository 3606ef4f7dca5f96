import { MeshError } from "../core/errors.ts";
import { isGroupName, isNodeId, type NodeId } from "../core/ids.ts";
import type { Member } from "../routing/types.ts";
import type { Response, Work, WorkEvent, WorkResult, WorkState } from "./api.ts";
import { Emitter } from "./emitter.ts";

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
    if (!isGroupName(group)) throw new MeshError("INVALID_ARGUMENT", `"${group}" is no group: use 1 to 64 characters of A-Z a-z 0-9 . _ -`);
    return { type: grouped[1] === "any" ? "any" : "all", group };
  }
  if (!isNodeId(text)) throw new MeshError("INVALID_ARGUMENT", `"${text}" is no target: use a node id, any:GROUP or all:GROUP`);
  return { type: "node", node: text };
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
    const merged = new Emitter<Response>();
    const reading = merged.read();
    const failures: unknown[] = [];
    const done = Promise.all(
      this.members.map(async (member) => {
        try {
          for await (const response of member) merged.emit(response);
        } catch (error) {
          failures.push(error);
        }
      }),
    ).then(() => merged.close());
    yield* reading;
    await done;
    if (failures.length > 0) throw failures[0];
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
