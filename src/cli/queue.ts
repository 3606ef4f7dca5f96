import { EXIT, MeshError } from "../core/errors.ts";
import { messageId } from "../core/ids.ts";
import type { QueueEntry } from "../node/api.ts";
import { type Arguments, usage } from "./arguments.ts";
import type { Context } from "./context.ts";
import { escapeLine } from "./escape.ts";
import { ask, nodeArgument, peerOf, withMesh } from "./mesh.ts";
import { humanBytes, humanTime, table } from "./table.ts";

const TIMEOUT = 10_000;

/** `receptor queue list`: the messages that wait at the node that we are linked to. */
export async function list(args: Arguments, context: Context): Promise<number> {
  const { out } = context;
  const entries = (await call("mesh:queue", {}, args, context)).filter(isEntry);
  const to = args.text("to");
  const chosen = to === undefined ? entries : entries.filter((entry) => entry.to === to);
  if (out.json) for (const entry of chosen) out.object(entry);
  else if (chosen.length === 0) out.note("nothing waits");
  else {
    const rows = chosen.map(({ id, from, to, bytes, ttl, why }) => [id, from, to, humanBytes(bytes), humanTime(ttl), why].map(escapeLine));
    const [head = "", ...lines] = table(["ID", "FROM", "TO", "SIZE", "LEFT", "WHY"], rows, new Set([3, 4]));
    for (const line of [out.style("dim", head), ...lines]) out.print(line);
  }
  return EXIT.done;
}

/** `receptor queue purge`: throws messages away; their senders are told. */
export async function purge(args: Arguments, context: Context): Promise<number> {
  const chosen = selection(args);
  if (chosen === undefined) throw usage("say what to purge: ids, --to NODE or --all");
  return await change("mesh:purge", "purged", chosen, args, context);
}

/** `receptor queue retry`: tries messages again now; all of them if nothing is chosen. */
export async function retry(args: Arguments, context: Context): Promise<number> {
  return await change("mesh:retry", "retried", selection(args) ?? { all: true }, args, context);
}

function selection(args: Arguments): Readonly<Record<string, unknown>> | undefined {
  const ids = args.list("ids").map(messageId);
  const ways = [ids.length > 0, args.text("to") !== undefined, args.flag("all")].filter(Boolean).length;
  if (ways > 1) throw usage("ids, --to and --all exclude each other");
  if (ids.length > 0) return { ids };
  if (args.text("to") !== undefined) return { to: nodeArgument(args, "to") };
  return args.flag("all") ? { all: true } : undefined;
}

async function change(
  directive: string,
  word: "purged" | "retried",
  chosen: Readonly<Record<string, unknown>>,
  args: Arguments,
  context: Context,
): Promise<number> {
  const { out } = context;
  const [answer] = await call(directive, chosen, args, context);
  const count: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, word) : undefined;
  if (typeof count !== "number") throw new MeshError("PROTOCOL_ERROR", `the node did not say how many messages it ${word}`);
  if (out.json) out.object({ [word]: count });
  else out.print(`${word} ${count} ${count === 1 ? "message" : "messages"}`);
  return EXIT.done;
}

async function call(directive: string, input: Readonly<Record<string, unknown>>, args: Arguments, context: Context): Promise<unknown[]> {
  const { signal } = context;
  const timeout = args.seconds("timeout", 1) ?? TIMEOUT;
  return await withMesh(args, context, (node) => ask(node, peerOf(node), directive, input, { signal, timeout }));
}

function isEntry(value: unknown): value is QueueEntry {
  if (typeof value !== "object" || value === null) return false;
  const has = (names: readonly string[], type: string): boolean => names.every((name) => typeof Reflect.get(value, name) === type);
  return has(["id", "from", "to", "why"], "string") && has(["bytes", "ttl"], "number");
}
