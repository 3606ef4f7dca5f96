import { loadConfig } from "../config/load.ts";
import type { NodeConfig } from "../config/node-config.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";

/** The configuration that a node would start with, given --config and --data-dir. */
export async function configOf(
  args: Arguments,
  { env, cwd, services }: Context,
  flags: { readonly id?: string | undefined } = {},
): Promise<NodeConfig> {
  const checkUrl = await services.parseUrl();
  const { config } = await loadConfig({
    file: args.text("config"),
    flags: { ...flags, "data-dir": args.text("data-dir") },
    env,
    cwd,
    checkUrl,
  });
  return config;
}
