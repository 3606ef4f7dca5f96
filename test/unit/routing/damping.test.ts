import { describe, expect, it } from "vitest";
import { nodeId, type NodeId } from "../../../src/core/ids.ts";
import { Damping } from "../../../src/routing/damping.ts";
import { ROUTING } from "../../../src/routing/numbers.ts";

const flapping = nodeId("flapping");
const other = (i: number): NodeId => nodeId(`other-${i}`);

/** A peer whose link was lost four times at `at`, and so many others that were lost once. */
function damped(at: number, others: number): Damping {
  const damping = new Damping();
  for (let i = 0; i < 4; i++) damping.lost(at, flapping);
  for (let i = 0; i < others; i++) damping.lost(at, other(i));
  return damping;
}

describe("Damping", () => {
  it("remembers 1,024 peers, and forgets the one that was first of more", () => {
    expect(ROUTING.dampedPeers).toBe(1_024);
    const damping = damped(0, 1_023);
    expect(damping.suppressed(0, flapping)).toBe(true);
    damping.lost(0, other(1_023));
    expect(damping.suppressed(0, flapping)).toBe(false);
  });

  it("forgets those first that have been good for long", () => {
    const damping = damped(0, 1_023);
    damping.lost(61_000, other(1_023));
    expect(damping.suppressed(61_000, flapping)).toBe(true);
  });
});
