import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";

/** Writes each run down before it answers, in a file that outlives the process and its data: a second run of a message is seen. */
function write(context) {
  appendFileSync(context.options.file, `${context.headers.number} ${context.id} ${process.pid} ${new Date().toISOString()}\n`);
}

export default {
  name: "ledger",
  options: {
    parse(value) {
      if (typeof value?.file !== "string") throw new TypeError("file: where to write");
      return { file: value.file };
    },
  },
  actions: {
    /** Answers with the digest of its input. */
    async *note(input, context) {
      write(context);
      const digest = createHash("sha1");
      for await (const chunk of input.stream()) digest.update(chunk);
      yield digest.digest("hex");
    },
    /** `{"bytes"}`: answers with a stream of that many. */
    async *give(input, context) {
      write(context);
      const { bytes } = await input.json();
      yield Readable.from(pieces(bytes));
    },
    /** `{"count","interval"}`: answers with the numbers from 1, so many milliseconds apart. */
    async *count(input, context) {
      write(context);
      const { count, interval } = await input.json();
      for (let number = 1; number <= count; number++) {
        await wait(interval, undefined, { signal: context.signal });
        yield number;
      }
    },
  },
};

function* pieces(bytes) {
  for (let at = 0; at < bytes; at += 16_384) yield Buffer.alloc(Math.min(16_384, bytes - at), 7);
}
