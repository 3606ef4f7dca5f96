import { EXIT } from "../core/errors.ts";
import type { CertificateFacts } from "../node/membership.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { escapeLine } from "./escape.ts";
import { folderOf } from "./member.ts";
import { configOf } from "./own-config.ts";
import { CONNECT_TIMEOUT, connection } from "./mesh.ts";

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
