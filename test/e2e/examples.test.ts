import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
let folder = "";
let worker: ChildProcess;
let url = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-examples-"));
  const args = ["node", "--id", "worker", "--listen", "tcp://127.0.0.1:0", "--data-dir", join(folder, "data"), "--log-format", "json"];
  const plugins = ["--plugin", join(root, "examples/greet")];
  const child = spawn(process.execPath, [join(root, "dist/cli/main.js"), ...args, ...plugins], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  worker = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const logged: { event?: string; listening?: string[] } = JSON.parse(line);
    if (logged.event !== "ready") continue;
    url = logged.listening?.[0] ?? "";
    break;
  }
  // The log goes on; nobody reads it any more.
  child.stdout.resume();
});

afterAll(async () => {
  const ended = once(worker, "exit");
  worker.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

async function controller(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(root, "examples/controller.mjs"), url, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code]: (number | null)[] = await once(child, "close");
  return { code: code ?? null, output };
}

describe("examples", () => {
  it("the controller sends work to the plugin, and prints its responses", async () => {
    expect(await controller("worker", "greet:run", "Ada Grace")).toEqual({
      code: 0,
      output: "1 hello Ada\n2 hello Grace\nworker succeeded after 2 responses\n",
    });
  });

  it("the controller tells an error by its code", async () => {
    const { code, output } = await controller("worker", "greet:shout", "Ada");
    expect(output).toContain("UNKNOWN_ACTION");
    expect(code).toBe(1);
  });
});
