import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("createLogger writes each line to stdout at once, and a reader that goes away does not end the process", async () => {
  const talker = fileURLToPath(new URL("talker.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", talker], { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const [first] = await once(child.stdout.setEncoding("utf8"), "data");
  expect(JSON.parse(String(first).split("\n")[0] ?? "")).toMatchObject({ level: "info", line: 0, msg: "talking" });
  child.stdout.destroy();
  const [code] = await once(child, "close");
  expect(errors).toBe("came to its end\n");
  expect(code).toBe(0);
});
