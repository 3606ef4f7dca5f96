import { EXIT } from "../core/errors.ts";
import { isNodeId } from "../core/ids.ts";
import { type Arguments, usage } from "./arguments.ts";
import type { Context } from "./context.ts";
import { escapeLine } from "./escape.ts";
import { configOf } from "./own-config.ts";

/** `receptor acl test FROM DIRECTIVE`: what the node would say to such work; exit status 5 where it would deny it. */
export async function testAccess(args: Arguments, context: Context): Promise<number> {
  const { out, services } = context;
  const from = args.required("from");
  const directive = args.required("directive");
  const to = args.text("to");
  for (const id of [from, ...(to === undefined ? [] : [to])])
    if (!isNodeId(id)) throw usage(`"${id}" is no node id: use 1 to 128 characters of A-Z a-z 0-9 . _ : -`);
  const config = await configOf(args, context);
  const groups = args.list("group");
  const { node, allowed, why } = await (await services.membership()).testAccess(config, { from, groups, directive, to });
  if (out.json) out.object({ from, groups, directive, to: node, allowed, why });
  else out.print(`${allowed ? "allowed" : "denied"}: ${escapeLine(why)}`);
  return allowed ? EXIT.done : EXIT.denied;
}
