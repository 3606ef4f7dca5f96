import type { NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { ROUTING } from "./numbers.ts";

interface Penalty {
  value: number;
  at: Instant;
  suppressed: boolean;
}

/** R11: a peer whose link is lost again and again is not advertised until it has been good for a while. */
export class Damping {
  readonly #penalties = new Map<NodeId, Penalty>();

  /** The link to `peer` was lost. */
  lost(now: Instant, peer: NodeId): void {
    const penalty = this.#penalties.get(peer) ?? { value: 0, at: now, suppressed: false };
    penalty.value = Math.min(ROUTING.penaltyMaximum, decayed(penalty, now) + ROUTING.penalty);
    penalty.at = now;
    if (penalty.value >= ROUTING.suppress) penalty.suppressed = true;
    this.#penalties.set(peer, penalty);
    if (this.#penalties.size > ROUTING.dampedPeers) this.#prune(now);
  }

  suppressed(now: Instant, peer: NodeId): boolean {
    const penalty = this.#penalties.get(peer);
    if (penalty === undefined || !penalty.suppressed) return false;
    if (decayed(penalty, now) < ROUTING.reuse) penalty.suppressed = false;
    return penalty.suppressed;
  }

  /** The link is the only way: it is told of until it is lost again. */
  forgive(peer: NodeId): void {
    const penalty = this.#penalties.get(peer);
    if (penalty !== undefined) penalty.suppressed = false;
  }

  /** When the suppression of `peer` ends; undefined where there is none. */
  reuseAt(peer: NodeId): Instant | undefined {
    const penalty = this.#penalties.get(peer);
    if (penalty === undefined || !penalty.suppressed) return undefined;
    return penalty.at + Math.max(0, ROUTING.penaltyHalfLife * Math.log2(penalty.value / ROUTING.reuse)) + 1;
  }

  #prune(now: Instant): void {
    for (const [peer, penalty] of this.#penalties) if (decayed(penalty, now) < ROUTING.penalty / 2) this.#penalties.delete(peer);
    for (const peer of this.#penalties.keys()) {
      if (this.#penalties.size <= ROUTING.dampedPeers) return;
      this.#penalties.delete(peer);
    }
  }
}

function decayed(penalty: Penalty, now: Instant): number {
  return penalty.value * 2 ** (-(now - penalty.at) / ROUTING.penaltyHalfLife);
}
