import type { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Random } from "../core/instant.ts";
import type { Advertisement } from "../wire/advertisement.ts";
import type { Signatures } from "./proof.ts";

/** Names one link of this node for as long as it is up; 0 or more, never used again. Of two links to one peer the greater is the newer. */
export type LinkId = number;

export interface RoutingOptions {
  readonly id: NodeId;
  /** Names this process: 32 hexadecimal digits, drawn at its start. */
  readonly boot: string;
  /** R2: already raised by one, and fsynced, by the caller. */
  readonly epoch: number;
  /** The last sequence used in this epoch; default 0. */
  readonly sequence?: number;
  /** R4: boot ids of this node's former processes, the last 16. */
  readonly recentBoots: readonly string[];
  readonly random: Random;
  /** The product's version. */
  readonly version: string;
  readonly groups: readonly string[];
  readonly leaf: boolean;
  readonly ephemeral: boolean;
  /** In a mesh with an authority: nothing is said without a signature, and nothing taken without a good one. */
  readonly signatures?: Signatures | undefined;
}

/** What a node may change of its own advertisement. */
export type LocalChange = Partial<Pick<Advertisement, "groups" | "plugins" | "load" | "leaf" | "draining">>;

export type RoutingInput =
  /** The peer has greeted. `ephemeral`: the peer is; `cost`: this end's, positive. */
  | { readonly type: "link-up"; readonly link: LinkId; readonly peer: NodeId; readonly cost: number; readonly ephemeral: boolean }
  | { readonly type: "link-down"; readonly link: LinkId }
  /** FRAME.digest, FRAME.pull or FRAME.advertisements, without its header. `body` is read only during the call. */
  | { readonly type: "frame"; readonly link: LinkId; readonly kind: number; readonly body: Uint8Array }
  | { readonly type: "local"; readonly change: LocalChange }
  /** Another node is not to be believed any more: what it has said is forgotten, as if it had aged out. */
  | { readonly type: "forget"; readonly node: NodeId }
  /** Says goodbye; nothing is advertised any more. */
  | { readonly type: "withdraw" }
  | { readonly type: "wake" };

export type RoutingEffect =
  | { readonly type: "send"; readonly link: LinkId; readonly kind: number; readonly body: Uint8Array }
  /** R3: to be stored; the next start begins above it. */
  | { readonly type: "persist"; readonly epoch: number; readonly sequence: number }
  /** R6: the exchange is done; the link may carry traffic. */
  | { readonly type: "adjacent"; readonly link: LinkId }
  /** The table was recomputed and differs. */
  | { readonly type: "routes-changed" }
  /** The node became reachable, or unreachable or gone. */
  | { readonly type: "node-up" | "node-down"; readonly node: NodeId }
  /** Another process speaks for the node than before. */
  | { readonly type: "restarted"; readonly node: NodeId }
  /** R4: another live node has this node's id, and this one came later: it should leave with DUPLICATE_NODE. */
  | { readonly type: "duplicate"; readonly node: NodeId; readonly boot: string }
  /** The peer broke the protocol, or did not finish the exchange: close the link. */
  | { readonly type: "violation"; readonly link: LinkId; readonly error: MeshError }
  /** Something that came on the link was not taken; to be counted. */
  | { readonly type: "rejected"; readonly link: LinkId; readonly reason: RejectReason };

/** Why an advertisement or a request was not taken. */
export type RejectReason = "forged" | "ended" | "collision" | "too many nodes" | "flood" | "too many pulls" | "too old";

export interface Route {
  readonly link: LinkId;
  readonly nextHop: NodeId;
  readonly cost: number;
  readonly hops: number;
}

/** A reachable member of a group. */
export interface Member {
  readonly node: NodeId;
  /** 0 for this node itself. */
  readonly cost: number;
  readonly advertisement: Advertisement;
}

export interface Edge {
  readonly between: readonly [NodeId, NodeId];
  readonly cost: number;
}

/** Where a part of the machine puts its effects. */
export type Emit = (effect: RoutingEffect) => void;
