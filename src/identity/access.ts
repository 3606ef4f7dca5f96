import type { NodeId } from "../core/ids.ts";
import { ownerOf } from "./names.ts";
import { fits } from "./patterns.ts";

/** Which works it is about. Each list is of patterns, of which one must fit; undefined: whatever it is. */
export interface AccessRule {
  /** Ids of senders. A command that runs with a node's certificate counts as that node. */
  readonly from?: readonly string[] | undefined;
  /** Groups that the sender is in. */
  readonly groups?: readonly string[] | undefined;
  /** Ids of the nodes that the work is for: so one list of rules serves many nodes. */
  readonly to?: readonly string[] | undefined;
  readonly directive?: readonly string[] | undefined;
}

/** Who may send work to a node. */
export interface AccessPolicy {
  readonly node: NodeId;
  /** Undefined: there are no rules, and without `secure` everyone may. */
  readonly allow: readonly AccessRule[] | undefined;
  /** Counts before everything else. */
  readonly deny: readonly AccessRule[];
  /** The node has a certificate: what no rule allows is denied. */
  readonly secure: boolean;
}

export interface AccessQuestion {
  readonly sender: NodeId;
  readonly groups: readonly string[];
  readonly directive: string;
}

/**
 * Whether the work may run, and why: `rule`: the first rule that fits; `own`: the node sent it to itself; `member`: any member may;
 * `open`: the node has neither a certificate nor rules; `none`: no rule fits.
 */
export type Verdict =
  | { readonly allowed: boolean; readonly why: "rule"; readonly list: "allow" | "deny"; readonly rule: number }
  | { readonly allowed: true; readonly why: "own" | "member" | "open" }
  | { readonly allowed: false; readonly why: "none" };

/** What tells of a node and changes nothing; and to renew a certificate, which takes the key of the one before. */
const OPEN_TO_MEMBERS: ReadonlySet<string> = new Set(["mesh:status", "mesh:info", "mesh:queue", "mesh:renew"]);

export function judgeAccess(policy: AccessPolicy, question: AccessQuestion): Verdict {
  const fitting = (rules: readonly AccessRule[]): number => rules.findIndex((rule) => covers(rule, policy.node, question));
  const denied = fitting(policy.deny);
  if (denied >= 0) return { allowed: false, why: "rule", list: "deny", rule: denied };
  if (ownerOf(question.sender) === policy.node) return { allowed: true, why: "own" };
  if (OPEN_TO_MEMBERS.has(question.directive)) return { allowed: true, why: "member" };
  if (policy.allow === undefined && !policy.secure) return { allowed: true, why: "open" };
  const allow = policy.allow ?? [];
  const allowed = fitting(allow);
  return allowed >= 0 ? { allowed: true, why: "rule", list: "allow", rule: allowed } : { allowed: false, why: "none" };
}

function covers(rule: AccessRule, node: NodeId, { sender, groups, directive }: AccessQuestion): boolean {
  const fit = (patterns: readonly string[] | undefined, names: readonly string[]): boolean =>
    patterns === undefined || names.some((name) => fits(patterns, name));
  return fit(rule.from, [ownerOf(sender)]) && fit(rule.groups, groups) && fit(rule.to, [node]) && fit(rule.directive, [directive]);
}
