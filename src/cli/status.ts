import { EXIT, MeshError } from "../core/errors.ts";
import type { MeshNode, Status } from "../node/api.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { ask, peerOf, withMesh } from "./mesh.ts";
import { renderStatus } from "./status-view.ts";

const EVERY = 1_000;
const CLEAR = "\u001b[H\u001b[2J\u001b[3J";

/** `receptor status`: what the node that we are linked to knows; with --watch again and again. */
export async function run(args: Arguments, context: Context): Promise<number> {
  const timeout = args.seconds("timeout", 1) ?? 10_000;
  const { out, signal } = context;
  return await withMesh(args, context, async (node) => {
    const peer = peerOf(node);
    const show = async (): Promise<void> => {
      const status = await fetchStatus(node, peer, context, timeout);
      if (out.json) out.object(status);
      else {
        const lines = renderStatus(status, out);
        await out.write(`${args.flag("watch") && out.terminal ? CLEAR : ""}${lines.join("\n")}\n`);
      }
    };
    await show();
    if (!args.flag("watch")) return EXIT.done;
    while (!signal.aborted) {
      await context.sleep(EVERY, signal);
      if (signal.aborted) break;
      try {
        await show();
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
    return EXIT.done;
  });
}

/** The peer's status, without the short-lived node that asks for it. */
export async function fetchStatus(node: MeshNode, peer: string, { signal }: Context, timeout: number): Promise<Status> {
  const [answer] = await ask(node, peer, "mesh:status", {}, { signal, timeout });
  if (!isStatus(answer)) throw new MeshError("PROTOCOL_ERROR", `${peer} answered with something that is no status`);
  return {
    ...answer,
    // An older node does not say.
    plugins: Array.isArray(Reflect.get(answer, "plugins")) ? answer.plugins : [],
    nodes: answer.nodes.filter(({ id }) => id !== node.id),
    links: answer.links.filter((link) => link.peer !== node.id),
    edges: answer.edges.filter(({ between }) => !between.includes(node.id)),
    work: answer.work.filter((work) => work.peer !== node.id),
  };
}

const LISTS = ["listening", "nodes", "links", "edges", "work", "warnings"] as const;

function isStatus(value: unknown): value is Status {
  if (typeof value !== "object" || value === null) return false;
  const has = (name: string, type: string): boolean => typeof Reflect.get(value, name) === type;
  return (
    has("node", "string") &&
    has("uptime", "number") &&
    has("parked", "object") &&
    LISTS.every((name) => Array.isArray(Reflect.get(value, name)))
  );
}
