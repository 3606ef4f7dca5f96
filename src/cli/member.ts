import { hostname, networkInterfaces } from "node:os";
import { dirname } from "node:path";
import type { NodeConfig } from "../config/node-config.ts";
import { EXIT, MeshError } from "../core/errors.ts";
import type { MadeToken } from "../node/membership/membership.ts";
import { type Arguments, usage } from "./arguments.ts";
import type { Context } from "./context.ts";
import { escapeLine } from "./escape.ts";
import { configOf } from "./own-config.ts";
import { table } from "./table.ts";

const HOUR = 3_600_000;
/** Below, nodes would do little else than renew. */
const SHORTEST_VALIDITY = 10_000;

/** `receptor mesh init`: an authority, this node's certificate, and a join token. */
export async function init(args: Arguments, context: Context): Promise<number> {
  const { out, services } = context;
  const wish = { lifetime: args.seconds("expires", 1_000) ?? HOUR, uses: args.count("uses") ?? 10, ids: [], groups: [], replace: false };
  const config = await configOf(args, context, { id: args.text("id") });
  const dataDir = folderOf(config);
  const { makeMesh, makeToken } = await services.membership();
  const validity = args.duration("validity", SHORTEST_VALIDITY);
  const { mesh, node } = await makeMesh(dataDir, config.id, {
    ...(validity === undefined ? {} : { validity }),
    online: !args.flag("offline"),
  });
  const { id: _, ...token } = await makeToken(dataDir, wish);
  if (out.json) {
    out.object({ mesh, node, dataDir, token: token.token, expires: new Date(token.expires).toISOString(), uses: token.uses });
    return EXIT.done;
  }
  const here = [args.text("id"), args.text("data-dir")].map((value, at) =>
    value === undefined ? "" : ` ${["--id", "--data-dir"][at]} ${value}`,
  );
  out.print(`made mesh ${mesh}, with this node as "${node}"`);
  out.print(`start it here:          receptor node${here.join("")}`);
  out.print(`on each other machine:  receptor node --peer ${address()}:8888 --token ${token.token}`);
  out.note(
    `the token lets in ${token.uses} ${token.uses === 1 ? "node" : "nodes"} until ${new Date(token.expires).toISOString()}: keep it secret`,
  );
  return EXIT.done;
}

/** `receptor mesh token create`: prints the token and nothing else on stdout. */
export async function createToken(args: Arguments, context: Context): Promise<number> {
  const { out, services } = context;
  const wish = {
    lifetime: args.seconds("expires", 1_000) ?? HOUR,
    uses: args.count("uses") ?? 1,
    ids: args.list("id"),
    groups: args.list("group"),
    replace: args.flag("replace"),
  };
  const dataDir = folderOf(await configOf(args, context));
  const made: MadeToken = await (await services.membership()).makeToken(dataDir, wish);
  const { id, token, uses, expires } = made;
  if (out.json) out.object({ ...made, expires: new Date(expires).toISOString() });
  else out.print(token);
  out.note(`token ${id} lets in ${uses} ${uses === 1 ? "node" : "nodes"} until ${new Date(expires).toISOString()}: keep it secret`);
  return EXIT.done;
}

/** `receptor mesh token list`. */
export async function listTokens(args: Arguments, context: Context): Promise<number> {
  const { out, services } = context;
  const tokens = await (await services.membership()).listTokens(folderOf(await configOf(args, context)));
  if (out.json) {
    for (const { created, expires, ...token } of tokens)
      out.object({ ...token, created: new Date(created).toISOString(), expires: new Date(expires).toISOString() });
  } else if (tokens.length === 0) {
    out.note("no token; `receptor mesh token create` makes one");
  } else {
    const rows = tokens.map(({ id, status, uses, used, expires, ids, groups, replace }) =>
      [
        id,
        status,
        `${used.length} of ${uses}`,
        new Date(expires).toISOString(),
        ids.join(",") + (replace ? " (replaces)" : ""),
        groups.join(","),
        used.join(",") || "-",
      ].map(escapeLine),
    );
    const [head = "", ...lines] = table(["TOKEN", "STATUS", "USED", "EXPIRES", "IDS", "GROUPS", "NODES"], rows);
    for (const line of [out.style("dim", head), ...lines]) out.print(line);
  }
  return EXIT.done;
}

/** `receptor mesh token revoke`. */
export async function revokeToken(args: Arguments, context: Context): Promise<number> {
  const { out, services } = context;
  const id = args.required("token");
  const done = await (await services.membership()).revokeToken(folderOf(await configOf(args, context)), id);
  if (!done) throw usage("there is no join token of that id: `receptor mesh token list` shows the ids");
  if (out.json) out.object({ revoked: id });
  else out.print(`revoked ${id}`);
  return EXIT.done;
}

/** The data folder. Throws CONFIG_INVALID where the node goes by the certificate of another authority. */
export function folderOf({ dataDir, tls }: NodeConfig): string {
  if (dataDir === undefined) throw new MeshError("CONFIG_INVALID", "no data folder is named");
  if (tls.cert !== undefined && !dirname(tls.cert).startsWith(dataDir))
    throw new MeshError(
      "CONFIG_INVALID",
      "tls.cert names a certificate of another authority: that one lets nodes in, and not this command",
    );
  return dataDir;
}

/** How other machines may reach this one: its first address that is no loopback, else its name. */
function address(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((one) => one !== undefined && !one.internal && one.family === "IPv4");
  return found?.address ?? hostname();
}
