import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { PluginDefinition } from "receptor-mesh/plugin";
import { intervalOf, wholeNumber } from "./arguments.ts";
import { echo } from "./echo.ts";
import { patternStream } from "./pattern.ts";

/** Sends back, counts, measures and generates: what one needs to try a mesh. */
export default {
  name: "echo",
  actions: {
    /** The input, back. */
    run: {
      idempotent: true,
      run: (input) => echo(input),
    },
    /** The input, back as it arrives, in one streamed response: for input that is typed. */
    stream: {
      async *run(input) {
        yield input.stream();
      },
    },
    /** `{"count":3,"interval":100}`: 1, 2, 3, one response each, `interval` milliseconds apart. */
    count: {
      idempotent: true,
      async *run(input, context) {
        const payload = await input.json();
        const count = wholeNumber(payload, "count", 1_000_000_000);
        const interval = intervalOf(payload);
        for (let number = 1; number <= count; number++) {
          if (interval > 0 && number > 1) await pause(interval, context.signal);
          context.signal.throwIfAborted();
          yield number;
        }
      },
    },
    /** Reads everything; `{"bytes","sha256"}`. */
    sink: {
      idempotent: true,
      async *run(input) {
        const hash = createHash("sha256");
        let bytes = 0;
        for await (const chunk of input.stream()) {
          hash.update(chunk);
          bytes += chunk.length;
        }
        yield { bytes, sha256: hash.digest("hex") };
      },
    },
    /** `{"bytes":1048576}`: a stream of that many, the one at offset n being n % 251. */
    source: {
      idempotent: true,
      async *run(input) {
        yield patternStream(wholeNumber(await input.json(), "bytes", Number.MAX_SAFE_INTEGER));
      },
    },
  },
} satisfies PluginDefinition;

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(milliseconds, undefined, { signal });
  } catch (error) {
    // The signal's reason says why, where the timer's own error only says that.
    signal.throwIfAborted();
    throw error;
  }
}
