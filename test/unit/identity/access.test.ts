import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { type AccessPolicy, judgeAccess } from "../../../src/identity/access.ts";

const POLICY: AccessPolicy = { node: nodeId("b"), allow: undefined, deny: [], secure: true };

function judge(policy: Partial<AccessPolicy>, sender: string, directive = "echo:run", groups: readonly string[] = []) {
  return judgeAccess({ ...POLICY, ...policy }, { sender: nodeId(sender), groups, directive });
}

describe("judgeAccess", () => {
  it("denies with a certificate what no rule allows, and lets everyone in without one", () => {
    expect(judge({}, "a")).toEqual({ allowed: false, why: "none" });
    expect(judge({ allow: [] }, "a")).toEqual({ allowed: false, why: "none" });
    expect(judge({ secure: false }, "a")).toEqual({ allowed: true, why: "open" });
  });

  it("goes by the rules where there are some, with a certificate or without", () => {
    const allow = [{ from: ["ctl-*"], directive: ["echo:*"] }];
    for (const secure of [true, false]) {
      expect(judge({ secure, allow }, "ctl-1")).toEqual({ allowed: true, why: "rule", list: "allow", rule: 0 });
      expect(judge({ secure, allow }, "ctl-1", "shell:run").allowed).toBe(false);
      expect(judge({ secure, allow }, "other").allowed).toBe(false);
    }
  });

  it("lets deny win, also over what a node sends to itself and what anyone may see", () => {
    const deny = [{ directive: ["shell:*"] }, { from: ["spy"] }, { from: ["b"], directive: ["mesh:keep"] }];
    const allow = [{}];
    expect(judge({ allow, deny }, "a", "shell:run")).toEqual({ allowed: false, why: "rule", list: "deny", rule: 0 });
    expect(judge({ allow, deny }, "spy", "mesh:status")).toEqual({ allowed: false, why: "rule", list: "deny", rule: 1 });
    expect(judge({ allow, deny }, "b", "mesh:keep").allowed).toBe(false);
    expect(judge({ allow, deny }, "a").allowed).toBe(true);
  });

  it("counts a command as the node with whose certificate it runs", () => {
    expect(judge({ allow: [{ from: ["a"] }] }, "a:cli-0123456789ab").allowed).toBe(true);
    expect(judge({ allow: [{ from: ["a"] }] }, "a:cli-x").allowed).toBe(false);
    expect(judge({}, "b:cli-0123456789ab", "mesh:keep")).toEqual({ allowed: true, why: "own" });
  });

  it("lets any member see and renew, and none change anything", () => {
    for (const directive of ["mesh:status", "mesh:info", "mesh:queue", "mesh:renew"]) expect(judge({}, "a", directive).allowed).toBe(true);
    for (const directive of ["mesh:purge", "mesh:retry", "mesh:keep"]) expect(judge({}, "a", directive).allowed).toBe(false);
  });

  it("fits groups of the sender and ids of this node", () => {
    const allow = [{ groups: ["op*"], to: ["b", "c"] }];
    expect(judge({ allow }, "a", "echo:run", ["ops"]).allowed).toBe(true);
    expect(judge({ allow }, "a", "echo:run", ["dev"]).allowed).toBe(false);
    expect(judge({ allow }, "a").allowed).toBe(false);
    expect(judge({ allow, node: nodeId("d") }, "a", "echo:run", ["ops"]).allowed).toBe(false);
  });
});
