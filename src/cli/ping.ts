import { isMeshError, MeshError, EXIT } from "../core/errors.ts";
import type { MeshNode } from "../node/api.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { nodeArgument, withMesh } from "./mesh.ts";
import { humanRtt, round } from "./table.ts";

const COUNT = 4;
const INTERVAL = 1_000;
const TIMEOUT = 5_000;

interface Plan {
  readonly target: string;
  readonly count: number;
  readonly interval: number;
  readonly timeout: number;
}

/** `receptor ping NODE`: 0 where at least one was answered. */
export async function run(args: Arguments, context: Context): Promise<number> {
  const plan: Plan = {
    target: nodeArgument(args),
    count: args.count("count") ?? COUNT,
    interval: args.seconds("interval") ?? INTERVAL,
    timeout: args.seconds("timeout", 1) ?? TIMEOUT,
  };
  return await withMesh(args, context, (node) => pings(node, plan, context));
}

async function pings(node: MeshNode, plan: Plan, context: Context): Promise<number> {
  const { out, signal } = context;
  const times: number[] = [];
  let sent = 0;
  let failure: MeshError | undefined;
  while (sent < plan.count && !signal.aborted) {
    if (sent > 0) await context.sleep(plan.interval, signal);
    if (signal.aborted) break;
    try {
      sent++;
      times.push(await once(node, plan, context));
    } catch (error) {
      if (signal.aborted) {
        // The one that was interrupted had no chance to be answered.
        sent--;
        break;
      }
      if (!isMeshError(error) || error.exit !== EXIT.unreachable) throw error;
      failure = error;
      // A name that nobody has heard is more likely a slip than a node on its way.
      if (error.code === "UNKNOWN_NODE" && times.length === 0) break;
      out.note(`no answer from ${plan.target}: ${error.code}: ${error.message}`);
    }
  }
  statistics(plan.target, sent, times, context);
  if (times.length > 0) return EXIT.done;
  throw failure ?? new MeshError("TIMEOUT", `${plan.target} was not asked often enough to answer`);
}

async function once(node: MeshNode, { target, timeout }: Plan, { out, signal }: Context): Promise<number> {
  const { rtt, hops, version } = await node.ping(target, { timeout, signal });
  if (out.json) out.object({ node: target, rtt: round(rtt), hops, version });
  else if (!out.quiet)
    out.print(`reply from ${target}: ${humanRtt(rtt)}, ${hops} ${hops === 1 ? "hop" : "hops"}, version ${out.safe(version)}`);
  return rtt;
}

function statistics(target: string, sent: number, times: readonly number[], { out }: Context): void {
  if (out.json || sent === 0) return;
  const loss = Math.round(((sent - times.length) / sent) * 1_000) / 10;
  const total = times.reduce((sum, time) => sum + time, 0);
  const figures = [Math.min(...times), total / times.length, Math.max(...times)].map((time) => time.toFixed(3)).join("/");
  out.print(`${target}: ${sent} sent, ${times.length} received, ${loss}% lost${times.length === 0 ? "" : `, min/avg/max ${figures} ms`}`);
}
