// Logs a line every 5 ms, a hundred in all, and then says on stderr that it came to its end.
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "../../../src/telemetry/logger.ts";

const log = createLogger({ format: "json" });
for (let line = 0; line < 100; line++) {
  log.info({ line }, "talking");
  await sleep(5);
}
process.stderr.write("came to its end\n");
