import { EXIT } from "../core/errors.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { nodeArgument, withMesh } from "./mesh.ts";
import { humanRtt, round } from "./table.ts";

/** `receptor trace NODE`: each hop as it answers. */
export async function run(args: Arguments, context: Context): Promise<number> {
  const target = nodeArgument(args);
  const timeout = args.seconds("timeout", 1) ?? 5_000;
  const { out, signal } = context;
  return await withMesh(args, context, async (node) => {
    let hop = 0;
    for await (const { node: at, rtt } of node.trace(target, { timeout, signal })) {
      hop++;
      if (out.json) out.object({ node: at, rtt: round(rtt) });
      else out.print(`${String(hop).padStart(2)}  ${out.safe(at)}  ${humanRtt(rtt)}`);
    }
    return EXIT.done;
  });
}
