import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { TIMES } from "../core/limits.ts";
import type { Greeting } from "../wire/greeting.ts";
import type { LinkState } from "./states.ts";

/** How long an old link has to show that it lives, when another instance claims its peer's id. */
export const PROBE_TIME: Millis = 2_000;

/** What admission looks at in a session whose peer has said hello. */
export interface Claim {
  readonly instance: string;
  readonly dialledBy: NodeId;
  readonly state: LinkState;
  /** When it came up, or started. */
  readonly since: Instant;
  /** When the peer's process started: when its hello came, less the uptime that it said. */
  readonly started?: Instant;
}

/** Processes that started closer together than this count as of one age. */
const SAME_AGE: Millis = 1_000;

/**
 * newer: close the existing session and admit the newer. existing: refuse the newer. probe: ask the existing one for a sign of life
 * within PROBE_TIME; alive, the newer is a duplicate and is refused with `duplicateNode`, otherwise it replaces the existing one.
 * elder: the newer session is of the instance that has run longer, so close the existing one with `duplicateNode` and admit the newer.
 */
export type Choice = "newer" | "existing" | "probe" | "elder";

/**
 * Which of two sessions with one peer stays. Of one instance the newer replaces the older, so that a half-open link blocks nobody;
 * but where both ends dialled at the same time, both must choose alike: the one dialled by the smaller id stays. Of two instances the
 * later is a duplicate, unless the older is dead; an elder that comes back to a link is never taken for the duplicate.
 */
export function chooseSession(existing: Claim, newer: Claim, now: Instant): Choice {
  if (existing.state === "closing" || existing.state === "closed") return "newer";
  if (existing.instance !== newer.instance) {
    if (isElder(newer, existing)) return "elder";
    return existing.state === "up" ? "probe" : "newer";
  }
  if (existing.dialledBy === newer.dialledBy || !isFresh(existing, now)) return "newer";
  return newer.dialledBy < existing.dialledBy ? "newer" : "existing";
}

function isElder(claim: Claim, other: Claim): boolean {
  return claim.started !== undefined && other.started !== undefined && claim.started + SAME_AGE < other.started;
}

/** Whether the session is so young that the other end may not have heard of it when it dialled. */
function isFresh(claim: Claim, now: Instant): boolean {
  return claim.state !== "up" || now - claim.since < TIMES.greeting;
}

/** The goodbye for the session that `chooseSession` does not keep. It is no failure: there is a link. */
export function replaced(peer: NodeId): MeshError {
  return new MeshError("CLOSED", `another session with ${peer} took its place`, { data: { node: peer, replaced: true } });
}

/** Whether a goodbye says that another session took the place of this one. */
export function isReplaced(reason: MeshError | undefined): boolean {
  return reason?.code === "CLOSED" && reason.data["replaced"] === true;
}

/** Refuses the later of two live instances of one id; `address` is where the other one is linked from. */
export function duplicateNode(node: NodeId, address: string): MeshError {
  return new MeshError("DUPLICATE_NODE", `a node "${node}" is already in the mesh, at ${address}; give this one another id`, {
    data: { node, address },
  });
}

/**
 * admit: it is somebody else. refuse: with the error. leave: refuse as well, and this node must stop, for it is the later one of two
 * with its id.
 */
export type Identity =
  | { readonly type: "admit" }
  | { readonly type: "refuse"; readonly error: MeshError }
  | { readonly type: "leave"; readonly error: MeshError };

/** What this node knows of a peer before it says hello. */
export interface Acquaintance {
  /** This node dialled it, or saw its certificate. */
  readonly chosen: boolean;
  /** The only id that it may have. */
  readonly expected?: NodeId;
}

/**
 * Whether a peer may be who it says: not this node itself, not another one with this node's id, and, where one is expected, that
 * one. `address` is the peer's. Of two with one id the one that has run longer stays; without uptimes, the one that was asked. A peer
 * that was not chosen can say any uptime: it is refused, in words that do not send it away either, for it may be the elder.
 */
export function judgeIdentity(local: Greeting, peer: Greeting, address: string, { chosen, expected }: Acquaintance): Identity {
  if (peer.instance === local.instance) {
    return {
      type: "refuse",
      error: new MeshError("CONNECT_FAILED", `${address} leads back to this node itself`, { data: { self: true } }),
    };
  }
  // Before all that would make this node leave: that is for who proves its id.
  if (expected !== undefined && peer.node !== expected) {
    const message = `${address} calls itself "${peer.node}", and may only be "${expected}"`;
    return { type: "refuse", error: new MeshError("DENIED", message, { data: { node: peer.node, expected } }) };
  }
  if (peer.node === local.node) {
    const error = duplicateNode(local.node, address);
    if ((peer.uptime ?? 0) <= (local.uptime ?? 0)) return { type: "refuse", error };
    if (chosen) return { type: "leave", error };
    return {
      type: "refuse",
      error: new MeshError("DENIED", `a younger node has the id "${local.node}" here`, { data: { node: local.node } }),
    };
  }
  return { type: "admit" };
}
