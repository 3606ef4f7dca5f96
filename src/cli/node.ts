import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { loadConfig, type ResolvedConfig } from "../config/load.ts";
import { EXIT, MeshError } from "../core/errors.ts";
import type { MeshNode } from "../node/api.ts";
import { type Arguments, usage } from "./arguments.ts";
import type { Context } from "./context.ts";

const DRAIN = 10_000;
const TEXTS = ["id", "data-dir", "max-work", "http", "log-level", "log-format"] as const;
const LISTS = ["listen", "peer", "group", "plugin"] as const;
const FLAGS = ["no-listen", "insecure", "leaf"] as const;

/** `receptor node`: runs until it is told to stop; then lets running work end, for a while. */
export async function run(args: Arguments, context: Context): Promise<number> {
  const { services, signal, out } = context;
  const drain = args.seconds("drain") ?? DRAIN;
  let { config } = await resolveConfig(args, context);
  const level = out.quiet && config.log.level !== "silent" ? "error" : config.log.level;
  const log = await services.createLogger({ ...config.log, level });
  // Programs wait for the ready line, whatever else is logged.
  const announce = out.quiet || level === "silent" ? log : await services.createLogger({ ...config.log, level: "info" });

  const token = await tokenOf(args, context);
  if (token !== undefined) {
    const { join } = await services.membership();
    const { mesh, node, asked } = await join({ config, token, signal, sleep: context.sleep });
    log.info(
      { event: asked ? "joined" : "member", mesh, node },
      asked ? "joined the mesh" : "the node is a member already: the token is not used",
    );
    config = (await resolveConfig(args, context)).config;
  }

  let fatal: MeshError | undefined;
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  signal.addEventListener("abort", () => stop(), { once: true });
  const node = await services.createNode(config, {
    log,
    onFatal: (error) => {
      fatal ??= error;
      stop();
    },
    reconfigure: async () => (await resolveConfig(args, context)).config,
  });
  announce.info({ event: "ready", node: node.id, listening: node.listening, pid: process.pid }, "ready");
  context.onReload(() => void reload(node, log));
  if (signal.aborted) stop();
  // For a node that has been up for a while: it can wait for the start.
  const { watchHeap } = await import("./watch-heap.ts");
  const watches = watchHeap();
  await stopped;
  for (const watch of watches) watch.close();
  if (fatal === undefined) log.info({ event: "stopping", drain }, "stopping");
  await node.close({ drain: fatal === undefined ? drain : 0 });
  if (fatal !== undefined) throw fatal;
  return EXIT.done;
}

/** --token, else RECEPTOR_TOKEN; `@FILE` stands for what is in it, so that no list of processes shows it. */
async function tokenOf(args: Arguments, { env, cwd }: Context): Promise<string | undefined> {
  const given = args.text("token") ?? (env["RECEPTOR_TOKEN"] || undefined);
  if (given === undefined || !given.startsWith("@")) return given;
  try {
    return await readFile(resolve(cwd, given.slice(1)), "utf8");
  } catch (cause) {
    throw new MeshError("INVALID_ARGUMENT", `the file of the join token, ${given.slice(1)}, cannot be read`, { cause });
  }
}

async function reload(
  node: MeshNode,
  log: { error(fields: object, message: string): void; info(fields: object, message: string): void },
): Promise<void> {
  try {
    await node.reload();
    log.info({ event: "reloaded" }, "configuration reloaded");
  } catch (error) {
    log.error({ event: "reload-failed", error }, "the configuration could not be reloaded; the old one holds");
  }
}

async function resolveConfig(args: Arguments, { env, cwd, services, out }: Context): Promise<ResolvedConfig> {
  if (args.flag("no-listen") && args.list("listen").length > 0) throw usage("--listen and --no-listen exclude each other");
  const texts = TEXTS.map((name) => [name, args.text(name)] as const);
  const lists = LISTS.map((name) => [name, args.lists(name)] as const);
  const flags = FLAGS.map((name) => [name, args.flag(name)] as const);
  const given = Object.fromEntries([...texts, ...lists, ...flags]);
  const json = out.json && args.text("log-format") === undefined ? { "log-format": "json" } : {};
  return await loadConfig({ file: args.text("config"), flags: { ...given, ...json }, env, cwd, checkUrl: await services.parseUrl() });
}
