import { appendFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

/** Says on disk that it ran, and only then answers: what a kill leaves behind is what really happened. */
export default {
  name: "ledger",
  actions: {
    async add(input, context) {
      // A kill shall find works that have not said it yet, and works that have and did not answer.
      await wait(Math.random() * 20);
      appendFileSync(process.env.CHAOS_RUNS, `${await input.text()} ${context.id}\n`);
      await wait(Math.random() * 20);
      return "noted";
    },
  },
};
