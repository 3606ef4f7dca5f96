import type { PluginDefinition } from "receptor-mesh/plugin";
import { start } from "./child.ts";
import { type Options, parseOptions } from "./options.ts";
import { mergeOutputs } from "./output.ts";
import { failure, readRequest } from "./request.ts";

/** Runs the commands that the configuration allows, and streams what they print. */
export default {
  name: "shell",
  options: { parse: parseOptions },
  actions: {
    /** A command's name, `{"command","args","stdin"}`, or the header `command` and standard input as the payload. */
    async *run(input, context) {
      const request = await readRequest(input, context.headers, context.options);
      context.signal.throwIfAborted();
      const child = start(request, context.options.killAfter);
      const { timeout } = request.command;
      let late = false;
      const expire = (): void => {
        late = true;
        void child.end();
      };
      const timer = timeout === undefined ? undefined : setTimeout(expire, timeout);
      const abort = (): void => void child.end();
      context.signal.addEventListener("abort", abort, { once: true });
      try {
        for await (const { channel, bytes } of mergeOutputs(child.stdout, child.stderr)) {
          yield channel === "stderr" ? context.respond(bytes, "stderr") : bytes;
        }
        const status = await child.exited;
        context.signal.throwIfAborted();
        if (late) throw failure("DEADLINE_EXCEEDED", `"${request.name}" did not end within ${timeout} ms`, { exitCode: 124 });
        if (status !== 0) throw failure("WORK_FAILED", `"${request.name}" ended with exit status ${status}`, { exitCode: status });
      } finally {
        clearTimeout(timer);
        context.signal.removeEventListener("abort", abort);
        await child.end();
      }
    },
  },
} satisfies PluginDefinition<Options>;
