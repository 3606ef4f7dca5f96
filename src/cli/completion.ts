import { EXIT } from "../core/errors.ts";
import { type Arguments, usage } from "./arguments.ts";
import { bash, fish, zsh } from "./completion-scripts.ts";
import type { Context } from "./context.ts";

/** `receptor completion bash|zsh|fish`: the script that a shell loads. */
export async function run(args: Arguments, { out }: Context): Promise<number> {
  const { COMMANDS, GLOBAL_OPTIONS } = await import("./commands.ts");
  const shell = args.required("shell");
  const script = { bash, zsh, fish }[shell];
  if (script === undefined) throw usage(`SHELL is one of bash, zsh, fish, not "${shell}"`);
  const text = script(COMMANDS, GLOBAL_OPTIONS);
  if (out.json) out.object({ shell, script: text });
  else await out.write(text);
  return EXIT.done;
}
