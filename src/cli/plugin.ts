import { join } from "node:path";
import { EXIT, isMeshError } from "../core/errors.ts";
import type { OwnPluginStatus, PluginStatus } from "../node/api.ts";
import type { Arguments } from "./arguments.ts";
import type { Context, InstalledPlugin } from "./context.ts";
import { escapeLine } from "./escape.ts";
import { namedPeers, peerOf, withMesh } from "./mesh.ts";
import { exists, namedDataDir, pluginFolder } from "./plugin-folder.ts";
import { fetchStatus } from "./status.ts";
import { table } from "./table.ts";

/** `receptor plugin list`: what is installed in a data folder, or what the running node can do. */
export async function list(args: Arguments, context: Context): Promise<number> {
  const { out, services } = context;
  const named = namedPeers(args, context).length > 0 && args.text("data-dir") === undefined ? undefined : await namedDataDir(args, context);
  if (named !== undefined) return show(await services.listInstalled(join(named, "plugins")), context);
  try {
    const plugins = await withMesh(args, context, async (node): Promise<readonly (PluginStatus | OwnPluginStatus)[]> => {
      const peer = peerOf(node);
      await node.reachable(peer, { signal: context.signal, timeout: 5_000 });
      const { plugins: own } = await fetchStatus(node, peer, context, 5_000);
      // An older node does not say where they run.
      if (own.length > 0) return own;
      return node.status().nodes.find(({ id }) => id === peer)?.plugins ?? [];
    });
    return show(plugins, context);
  } catch (error) {
    if (namedPeers(args, context).length > 0 || !isMeshError(error, "UNREACHABLE_MESH")) throw error;
    const { folder } = await pluginFolder(args, context);
    if (!(await exists(folder))) throw error;
    out.note(`no node answers; installed in ${folder}:`);
    return show(await services.listInstalled(folder), context);
  }
}

function show(plugins: readonly (PluginStatus | OwnPluginStatus | InstalledPlugin)[], { out }: Context): number {
  if (out.json) for (const plugin of plugins) out.object(plugin);
  else if (plugins.length === 0) out.note("no plugin; `receptor plugin add SPEC` installs one");
  else {
    const rows = plugins.map((plugin) => {
      const broken =
        "error" in plugin && plugin.error !== undefined ? out.style("red", escapeLine(`cannot be loaded: ${plugin.error}`)) : undefined;
      const actions = broken ?? escapeLine((plugin.actions ?? []).join(", "));
      const row = [escapeLine(plugin.name), escapeLine(plugin.version), actions];
      return "isolated" in plugin ? [...row, plugin.isolated ? "its own" : "the node's"] : row;
    });
    const placed = plugins.some((plugin) => "isolated" in plugin);
    const [head = "", ...lines] = table(["PLUGIN", "VERSION", "ACTIONS", ...(placed ? ["PROCESS"] : [])], rows);
    for (const line of [out.style("dim", head), ...lines]) out.print(line);
  }
  return EXIT.done;
}

/** `receptor plugin add SPEC`: installs with npm into the node's plugin folder. */
export async function add(args: Arguments, context: Context): Promise<number> {
  const { out, services, signal } = context;
  const spec = args.required("spec");
  const { folder, pid } = await pluginFolder(args, context);
  out.note(`installing ${spec} in ${folder}`);
  const plugin = await services.installPlugin(folder, spec, { signal, allowScripts: args.flag("allow-scripts") });
  if (out.json) out.object(plugin);
  else out.print(`installed ${escapeLine(plugin.name)} ${escapeLine(plugin.version)} (${escapeLine(plugin.package)})`);
  remind(pid, context);
  return EXIT.done;
}

/** `receptor plugin remove NAME`. */
export async function remove(args: Arguments, context: Context): Promise<number> {
  const { out, services } = context;
  const name = args.required("name");
  const { folder, pid } = await pluginFolder(args, context);
  await services.removePlugin(folder, name);
  if (out.json) out.object({ removed: name });
  else out.print(`removed ${name}`);
  remind(pid, context);
  return EXIT.done;
}

function remind(pid: number | undefined, { out }: Context): void {
  out.note(
    pid === undefined
      ? "a node that starts with this folder will have it"
      : `the node that runs here (process ${pid}) takes notice within a second`,
  );
}
