import { setTimeout as wait } from "node:timers/promises";
import type { PluginDefinition } from "receptor-mesh/plugin";
import { parseDuration } from "./duration.ts";

/** Waits as long as it is told; ends at once when it is cancelled. */
export default {
  name: "sleep",
  actions: {
    /** `5s`, `500` or `{"ms":500}`; answers `{"slept":500}`. */
    run: {
      idempotent: true,
      async run(input, context) {
        const milliseconds = parseDuration(await input.text(1024));
        try {
          await wait(milliseconds, undefined, { signal: context.signal });
        } catch (error) {
          // The signal's reason says why, where the timer's own error only says that.
          context.signal.throwIfAborted();
          throw error;
        }
        return { slept: milliseconds };
      },
    },
  },
} satisfies PluginDefinition;
