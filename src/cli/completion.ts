import { EXIT } from "../core/errors.ts";
import { type Arguments, usage } from "./arguments.ts";
import { bash, fish, zsh } from "./completion-scripts.ts";
import type { Context } from "./context.ts";
import type { CommandSpec, OptionSpec, Runner } from "./spec.ts";

/** `receptor completion bash|zsh|fish`: the script that a shell loads, made of the commands that there are. */
export function completion(commands: readonly CommandSpec[], global: Readonly<Record<string, OptionSpec>>): Runner {
  return async (args, context) => await print(args, context, (script) => script(commands, global));
}

async function print(args: Arguments, { out }: Context, make: (script: typeof bash) => string): Promise<number> {
  const shell = args.required("shell");
  const script = { bash, zsh, fish }[shell];
  if (script === undefined) throw usage(`SHELL is one of bash, zsh, fish, not "${shell}"`);
  const text = make(script);
  if (out.json) out.object({ shell, script: text });
  else await out.write(text);
  return EXIT.done;
}
