import { resolve } from "node:path";
import { EXIT } from "../core/errors.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { escapeLine } from "./escape.ts";
import { folderOf } from "./member.ts";
import { configOf } from "./own-config.ts";

/** `receptor cert request`: the file that goes to where the authority's key is. */
export async function requestCertificate(args: Arguments, context: Context): Promise<number> {
  const { out, services, cwd } = context;
  const config = await configOf(args, context, { id: args.text("id") });
  const { request } = await services.membership();
  const made = await request(folderOf(config), {
    id: config.id,
    groups: args.lists("group") ?? config.groups,
    newKey: args.flag("new-key"),
    path: pathOf(args, cwd),
    cwd,
  });
  if (out.json) {
    out.object(made);
    return EXIT.done;
  }
  out.print(`wrote ${escapeLine(made.path)}: for "${made.node}", groups ${made.groups.join(", ") || "none"}`);
  out.note('sign it where the authority is with "receptor cert sign", and install here what that writes with "receptor cert install"');
  return EXIT.done;
}

/** `receptor cert sign`: where the authority's key is. */
export async function signCertificate(args: Arguments, context: Context): Promise<number> {
  const { out, services, cwd } = context;
  const dataDir = folderOf(await configOf(args, context));
  const { sign } = await services.membership();
  const wish = { groups: args.list("group"), replace: args.flag("replace"), path: pathOf(args, cwd), cwd };
  const made = await sign(dataDir, resolve(cwd, args.required("file")), wish);
  if (out.json) out.object(made);
  else out.print(`wrote ${escapeLine(made.path)}: for "${made.node}", groups ${made.groups.join(", ") || "none"}, until ${made.until}`);
  return EXIT.done;
}

/** `receptor cert install`: a certificate that was signed elsewhere, or a list of revoked ones. */
export async function installCertificate(args: Arguments, context: Context): Promise<number> {
  const { out, services, cwd } = context;
  const config = await configOf(args, context);
  folderOf(config);
  const { installFile } = await services.membership();
  const done = await installFile(config, resolve(cwd, args.required("file")));
  if (out.json) out.object(done);
  else if (done.type === "certificate") out.print(`this is node "${done.node}" of mesh ${done.mesh}: certificate ${done.fingerprint}`);
  else out.print(`list ${done.number} of revoked certificates is installed`);
  return EXIT.done;
}

function pathOf(args: Arguments, cwd: string): string | undefined {
  const path = args.text("out");
  return path === undefined ? undefined : resolve(cwd, path);
}
