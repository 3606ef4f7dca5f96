import { MeshError } from "../core/errors.ts";

/**
 * Where a certificate names its node. mesh: its only URI is `mesh://MESH/node/ID`, of the mesh of this node's own. uri, dns, cn: the part
 * of such a name between `before` and `after`; all other names are passed over. none: nowhere, it only says who may connect.
 */
export type IdentityRule =
  | { readonly type: "mesh" }
  | { readonly type: "none" }
  | { readonly type: "uri" | "dns" | "cn"; readonly before: string; readonly after: string };

const TEMPLATE = /^(uri|dns|cn):([^{}]*)\{node\}([^{}]*)$/s;

/** `mesh`, `none`, or `uri:`, `dns:` or `cn:` with text around `{node}`. Throws CONFIG_INVALID. */
export function parseIdentityRule(text: string): IdentityRule {
  if (text === "mesh" || text === "none") return { type: text };
  const [, type, before = "", after = ""] = TEMPLATE.exec(text) ?? [];
  if (type === "uri" || type === "dns" || type === "cn") return { type, before, after };
  throw new MeshError(
    "CONFIG_INVALID",
    `tls.identity is mesh, none, or uri:, dns: or cn: with {node} in it, such as dns:{node}.mesh.example or cn:{node}; not "${text}"`,
  );
}
