import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { type Claim, chooseSession, duplicateNode, isReplaced, judgeIdentity, PROBE_TIME, replaced } from "../../../src/link/admission.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { greetingOf, Pair } from "./support.ts";

const alpha = nodeId("alpha");
const beta = nodeId("beta");

function claim(changes: Partial<Claim> = {}): Claim {
  return { instance: "1".repeat(32), dialledBy: alpha, state: "up", since: 0, ...changes };
}

describe("chooseSession", () => {
  it("lets a newer session of one instance replace the older, so that a half-open link blocks nobody", () => {
    expect(chooseSession(claim(), claim({ state: "judging", since: 60_000 }), 60_000)).toBe("newer");
    expect(chooseSession(claim(), claim({ dialledBy: beta, state: "judging" }), 60_000)).toBe("newer");
    expect(chooseSession(claim(), claim({ state: "judging", since: 10 }), 10)).toBe("newer");
  });

  it("keeps the one that the smaller id dialled when both dialled at once, in whichever order they are seen", () => {
    for (const state of ["admitted", "judging", "up"] as const) {
      const byAlpha = claim({ dialledBy: alpha, state });
      const byBeta = claim({ dialledBy: beta, state });
      expect(chooseSession(byAlpha, byBeta, 100)).toBe("existing");
      expect(chooseSession(byBeta, byAlpha, 100)).toBe("newer");
    }
  });

  it("asks the older link for a sign of life before it calls the newer instance a duplicate", () => {
    expect(chooseSession(claim(), claim({ instance: "2".repeat(32), state: "judging" }), 1_000)).toBe("probe");
  });

  it("does not ask a link that is over or was never up", () => {
    for (const state of ["closing", "closed", "admitted"] as const) {
      expect(chooseSession(claim({ state }), claim({ instance: "2".repeat(32), state: "judging" }), 1_000)).toBe("newer");
    }
  });

  it("never takes an elder that comes back for the duplicate", () => {
    const younger = claim({ started: 50_000 });
    const elder = claim({ instance: "2".repeat(32), started: 1_000, state: "judging" });
    expect(chooseSession(younger, elder, 60_000)).toBe("elder");
    expect(chooseSession(elder, younger, 60_000)).not.toBe("elder");
    expect(chooseSession(claim({ started: 1_500 }), elder, 60_000)).toBe("probe");
  });
});

describe("the probe of a link whose peer's id is claimed by another instance", () => {
  /** alpha is linked to beta; then somebody else says hello to beta as alpha. */
  function claimed(dead: boolean): { winner: string; at: number } {
    const old = new Pair().start();
    old.cut.a = dead;
    const from = old.now;
    let winner = "";
    let at = 0;
    old.b.session.probe(old.now, PROBE_TIME, (now, alive) => {
      winner = alive ? "older" : "newer";
      at = now - from;
    });
    old.run(10_000);
    return { winner, at };
  }

  it("keeps an older link that lives", () => {
    expect(claimed(false)).toEqual({ winner: "older", at: 0 });
  });

  it("lets a restarted peer return within 2 s where the older link is half open", () => {
    expect(claimed(true)).toEqual({ winner: "newer", at: 2_000 });
  });
});

describe("judgeIdentity", () => {
  const local = greetingOf("alpha", { uptime: 5_000 });

  it("admits somebody else, and the expected one", () => {
    expect(judgeIdentity(local, greetingOf("beta"), "tcp://x:1", { chosen: false })).toEqual({ type: "admit" });
    expect(judgeIdentity(local, greetingOf("beta"), "tcp://x:1", { chosen: false, expected: beta })).toEqual({ type: "admit" });
  });

  it("refuses this node itself", () => {
    const identity = judgeIdentity(local, local, "tcp://x:1", { chosen: false });
    expect(identity).toMatchObject({ type: "refuse", error: { code: "CONNECT_FAILED", data: { self: true } } });
  });

  it("refuses an unexpected id, before all else that its name could do", () => {
    const identity = judgeIdentity(local, greetingOf("gamma"), "tcp://x:1", { chosen: true, expected: beta });
    expect(identity).toMatchObject({ type: "refuse", error: { code: "DENIED", data: { node: "gamma", expected: "beta" } } });
    const older = greetingOf("alpha", { instance: "f".repeat(32), uptime: 1e9 });
    expect(judgeIdentity(local, older, "tcp://x:1", { chosen: true, expected: beta })).toMatchObject({
      type: "refuse",
      error: { code: "DENIED", data: { node: "alpha", expected: "beta" } },
    });
  });

  it("sends the later of two with one id away, and names the other's address", () => {
    const twin = { instance: "f".repeat(32) };
    const younger = judgeIdentity(local, greetingOf("alpha", { ...twin, uptime: 10 }), "tcp://x:1", { chosen: true });
    expect(younger).toMatchObject({ type: "refuse", error: { code: "DUPLICATE_NODE", data: { address: "tcp://x:1" } } });
    const elder = judgeIdentity(local, greetingOf("alpha", { ...twin, uptime: 90_000 }), "tcp://x:1", { chosen: true });
    expect(elder).toMatchObject({ type: "leave", error: { code: "DUPLICATE_NODE" } });
    expect(judgeIdentity(local, greetingOf("alpha", twin), "tcp://x:1", { chosen: true })).toMatchObject({ type: "refuse" });
  });

  it("does not leave at the word of a peer that was not chosen, nor sends that one away", () => {
    const elder = greetingOf("alpha", { instance: "f".repeat(32), uptime: 90_000 });
    expect(judgeIdentity(local, elder, "tcp://x:1", { chosen: false })).toMatchObject({ type: "refuse", error: { code: "DENIED" } });
  });
});

describe("the reasons of admission", () => {
  it("name the other's address, and exit with 78", () => {
    const error = duplicateNode(alpha, "tcp://10.0.0.9:8888");
    expect(error.message).toContain("tcp://10.0.0.9:8888");
    expect(error.exit).toBe(78);
  });

  it("tell a replaced session from a failure, also at the other end", () => {
    const pair = new Pair({}, { verdict: () => replaced(alpha) }).start();
    expect(isReplaced(pair.a.closes[0]?.reason)).toBe(true);
    expect(isReplaced(new MeshError("CLOSED", "stopping"))).toBe(false);
    expect(isReplaced(undefined)).toBe(false);
  });
});
