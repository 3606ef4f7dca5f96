import type { NodeConfig } from "../../config/node-config.ts";
import { MeshError } from "../../core/errors.ts";
import { type NodeId, nodeId } from "../../core/ids.ts";
import { SILENT } from "../../core/log.ts";
import { type AccessPolicy, type AccessQuestion, judgeAccess, type Verdict } from "../../identity/access.ts";
import { ownerOf } from "../../identity/names.ts";
import { parseDirective } from "../../work/directive.ts";
import { openSecurity } from "./open-security.ts";
import type { Security } from "./security.ts";

/** Who may send work to `node`, as its configuration says. With a certificate that names it, others must prove their names too. */
export function accessPolicy({ allow, deny }: Pick<NodeConfig, "allow" | "deny">, node: NodeId, security: Security): AccessPolicy {
  return { node, allow, deny, secure: security.node !== undefined };
}

/** What a verdict says in words. */
export function describeVerdict(verdict: Verdict, { node, secure }: AccessPolicy, { sender, directive }: AccessQuestion): string {
  switch (verdict.why) {
    case "rule":
      return `${verdict.list}[${verdict.rule}] of ${node} ${verdict.allowed ? "allows" : "denies"} it`;
    case "own":
      return `${ownerOf(sender)} may send work to itself`;
    case "member":
      return `whoever is in the mesh may ask for ${directive}`;
    case "open":
      return `${node} has neither a certificate nor rules`;
    case "none":
      return `no rule of ${node} allows ${ownerOf(sender)} to send it ${directive}${secure ? "" : ", and it has rules"}`;
  }
}

/** Whether everybody may send everything. */
export function isOpen({ allow, deny, secure }: AccessPolicy): boolean {
  return allow === undefined && deny.length === 0 && !secure;
}

/** Throws DENIED where the work may not run. */
export function checkAccess(policy: AccessPolicy, question: AccessQuestion): void {
  const verdict = judgeAccess(policy, question);
  if (verdict.allowed) return;
  throw new MeshError("DENIED", describeVerdict(verdict, policy, question), {
    data: { node: policy.node, sender: question.sender, directive: question.directive },
  });
}

export interface AccessTest {
  readonly from: string;
  readonly groups: readonly string[];
  readonly directive: string;
  /** Default: the node of the configuration. */
  readonly to: string | undefined;
}

/** What a node with this configuration would say. Rejects with INVALID_ARGUMENT for what is no directive, or where its id is not known, and as `openSecurity` does. */
export async function testAccess(
  config: NodeConfig,
  { from, groups, directive, to }: AccessTest,
): Promise<{ readonly node: NodeId; readonly allowed: boolean; readonly why: string }> {
  const security = await openSecurity(config, SILENT);
  const node = to ?? config.id ?? security.node;
  if (node === undefined) throw new MeshError("INVALID_ARGUMENT", "this node has no id yet: say which node is asked, with --to");
  parseDirective(directive);
  const policy = accessPolicy(config, nodeId(node), security);
  const question = { sender: nodeId(from), groups, directive };
  const verdict = judgeAccess(policy, question);
  return { node: policy.node, allowed: verdict.allowed, why: describeVerdict(verdict, policy, question) };
}
