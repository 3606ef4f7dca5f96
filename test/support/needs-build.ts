import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Before the end-to-end tests, which run the command as a user would. */
export default function needsBuild(): void {
  const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  if (!existsSync(command)) throw new Error("dist/cli/main.js is missing: run `npm run build` first");
}
