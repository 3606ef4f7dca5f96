import { EXIT, type MeshError, toMeshError } from "../core/errors.ts";
import { VERSION } from "../node/version.ts";
import { type Context, interruptedExit } from "./context.ts";
import type { Output } from "./output.ts";
import { readPlain } from "./plain.ts";

/** Runs one command line (without node and the script); resolves to its exit status, and never rejects. */
export async function runCli(argv: readonly string[], context: Context): Promise<number> {
  const { out, signal } = context;
  out.json = asksFor(argv, ["--json"]);
  out.quiet = asksFor(argv, ["--quiet", "-q"]);
  try {
    if (asksFor(argv.slice(0, 1), ["--version", "-V"])) {
      if (out.json) out.object({ version: VERSION });
      else out.print(VERSION);
      return EXIT.done;
    }
    const parsed = readPlain(argv) ?? (await (await import("./parse.ts")).parse(argv, out.columns));
    if ("help" in parsed) {
      out.print(parsed.help);
      return EXIT.done;
    }
    const run = await parsed.load();
    return await run(parsed.args, context);
  } catch (thrown) {
    if (signal.aborted) return interruptedExit(signal);
    const error = toMeshError(thrown);
    report(error, out, context.env);
    return error.exit;
  }
}

/** Waits until all that was said has left; resolves to the exit status. What could not be written is not done. */
export async function finish(status: number, { out, env }: Pick<Context, "out" | "env">): Promise<number> {
  await out.flush();
  const { failure } = out;
  if (failure === undefined) return status;
  out.json = false;
  report(failure, out, env);
  await out.flush();
  return status === EXIT.done ? failure.exit : status;
}

function asksFor(argv: readonly string[], words: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => words.includes(word));
}

function report(error: MeshError, out: Output, env: Context["env"]): void {
  if (out.json) out.object({ error: error.toJSON() });
  // Several problems stand on lines of their own.
  else
    out.warn(
      `receptor: ${error.code}:${error.message.includes("\n") ? `\n  ${error.message.replaceAll("\n", "\n  ")}` : ` ${error.message}`}`,
    );
  if (env["RECEPTOR_DEBUG"] === "1") out.warn(`${error.stack ?? ""}${error.cause instanceof Error ? `\ncause: ${error.cause.stack}` : ""}`);
}
