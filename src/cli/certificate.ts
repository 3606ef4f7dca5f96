import { EXIT } from "../core/errors.ts";
import type { CertificateFacts } from "../node/membership/membership.ts";
import { type Arguments, usage } from "./arguments.ts";
import type { Context } from "./context.ts";
import { escapeLine } from "./escape.ts";
import { folderOf } from "./member.ts";
import { configOf } from "./own-config.ts";
import { CONNECT_TIMEOUT, connection } from "./mesh.ts";
import { table } from "./table.ts";

/** `receptor cert show`. */
export async function showCertificate(args: Arguments, context: Context): Promise<number> {
  const config = await configOf(args, context);
  return show(await (await context.services.membership()).describeCertificate(config), context);
}

/** `receptor cert check`: the same, or why a node cannot start with it. */
export async function checkCertificate(args: Arguments, context: Context): Promise<number> {
  const config = await configOf(args, context);
  return show(await (await context.services.membership()).checkCertificate(config), context);
}

/** `receptor cert renew`: asks a node that signs; a node that runs from the folder uses the new one within seconds. */
export async function renewCertificate(args: Arguments, context: Context): Promise<number> {
  const { services, signal, out } = context;
  const config = await configOf(args, context);
  const { renew, describeCertificate } = await services.membership();
  const by = await renew(folderOf(config), {
    newKey: args.flag("new-key"),
    signal,
    connect: async () => await services.connect({ ...(await connection(args, context)), timeout: CONNECT_TIMEOUT, signal }),
    sleep: (milliseconds) => context.sleep(milliseconds, signal),
  });
  out.note(by === undefined ? "renewed by the authority in the data folder" : `renewed by ${by}`);
  return show(await describeCertificate(config), context);
}

/** `receptor cert revoke`, where the authority's key is. */
export async function revokeCertificate(args: Arguments, context: Context): Promise<number> {
  const { services, out } = context;
  const [node, serial] = [args.text("node"), args.text("serial")];
  if ((node === undefined) === (serial === undefined)) throw usage("name a node, or one certificate with --serial");
  const dataDir = folderOf(await configOf(args, context));
  const { revoke } = await services.membership();
  const wish = { force: args.flag("force"), ...(node === undefined ? {} : { node }), ...(serial === undefined ? {} : { serial }) };
  const { number, path, tokens } = await revoke(dataDir, wish);
  const what = node ?? serial ?? "";
  if (out.json) {
    out.object({ revoked: what, number, path, tokens });
    return EXIT.done;
  }
  out.print(`revoked ${escapeLine(what)}`);
  out.note(`a node that runs there tells the mesh; else: "receptor cert install ${path}" at any node of it`);
  for (const token of tokens) out.note(`join token ${token} lets nobody in any more: the node knows it`);
  return EXIT.done;
}

/** `receptor cert revoked`. */
export async function listRevoked(args: Arguments, context: Context): Promise<number> {
  const { services, out } = context;
  const entries = await (await services.membership()).listRevoked(folderOf(await configOf(args, context)));
  if (out.json) {
    for (const entry of entries) out.object(entry);
  } else if (entries.length === 0) {
    out.note("nothing is revoked");
  } else {
    const rows = entries.map((entry) =>
      "node" in entry
        ? ["node", escapeLine(entry.node), `all until ${entry.before}`, entry.until]
        : ["serial", escapeLine(entry.serial), "this one", entry.until],
    );
    const [head = "", ...lines] = table(["KIND", "WHAT", "CERTIFICATES", "FORGOTTEN"], rows);
    for (const line of [out.style("dim", head), ...lines]) out.print(line);
  }
  return EXIT.done;
}

function show(facts: CertificateFacts, { out }: Context): number {
  if (out.json) {
    out.object(facts);
    return EXIT.done;
  }
  const { node, names, groups, issuer, serial, validFrom, validTo, fingerprint, path, warnings } = facts;
  const rows = [
    ...(node === null ? [] : [["node", node]]),
    ["names", names],
    ["groups", groups.join(", ") || "-"],
    ["issuer", issuer],
    ["serial", serial],
    ["valid", `${validFrom} to ${validTo}`],
    ["sha256", fingerprint],
    ["file", path],
  ];
  for (const [name = "", value = ""] of rows) out.print(`${name.padEnd(8)}${escapeLine(value)}`);
  for (const warning of warnings) out.print(out.style("yellow", `warning: ${escapeLine(warning)}`));
  return EXIT.done;
}
