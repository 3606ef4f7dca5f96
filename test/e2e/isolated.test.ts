import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { identityFiles } from "../../src/identity/paths.ts";
import { PASSED_ON } from "../../src/plugin/isolated/environment.ts";
import { hidingCommand } from "../../src/plugin/isolated/hiding.ts";
import type { OwnPluginStatus } from "../../src/node/api.ts";
import { freePort, pluginFolder, ProcessMesh, type Ran, until } from "../support/mesh.ts";

const [tool, ...words] = [...hidingCommand([], "/"), "true"];
/** Whether this machine lets its users have namespaces. */
const POSSIBLE = process.platform === "linux" && spawnSync(tool, words).status === 0;

let mesh: ProcessMesh;
let port = 0;
let file = "";

beforeAll(async () => {
  mesh = new ProcessMesh();
  port = await freePort();
  await mesh.run(["mesh", "init", "--id", "a", "--data-dir", mesh.dataDir("a"), "--json"]);
  file = join(mesh.folder, "a.yaml");
  configure("shell: { commands: { hello: echo hello, wait: sleep 60 } }\n  echo: { trusted: true }");
  const plugins = ["shell", "echo", "sleep"].flatMap((name) => ["--plugin", pluginFolder(name)]);
  await mesh.start("a", ["--listen", `tls://127.0.0.1:${port}`, "--config", file, ...plugins]);
});

afterAll(async () => {
  await mesh.close();
});

function configure(plugins: string): void {
  writeFileSync(file, `allow: [{ from: a }]\nplugins:\n  ${plugins}\n`);
}

const as = (...args: readonly string[]): Promise<Ran> =>
  mesh.run([...args, "--data-dir", mesh.dataDir("a"), "--peer", `127.0.0.1:${port}`, "--json"]);

async function own(): Promise<Readonly<Record<string, OwnPluginStatus>>> {
  const { objects, stderr } = await as("status");
  const plugins: unknown = objects[0]?.["plugins"];
  if (!Array.isArray(plugins)) throw new Error(stderr);
  return Object.fromEntries(plugins.map((plugin: OwnPluginStatus) => [plugin.name, plugin]));
}

test("with a certificate plugins run in processes of their own, but for trusted ones, and have nothing of the node's", async () => {
  const { shell, echo, sleep } = await own();
  expect([shell, echo, sleep]).toMatchObject([{ isolated: true, restarts: 0 }, { isolated: false }, { isolated: true }]);
  expect((await as("send", "a", "shell:run", "hello")).stdout).toContain("hello");
  expect((await as("send", "a", "echo:run", "hi")).stdout).toContain("hi");
  if (process.platform !== "linux") return;
  const pid = String(shell?.pid);
  const held = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  const nodes = readdirSync(`/proc/${mesh.pid("a")}/fd`).map((fd) => readlinkSync(`/proc/${mesh.pid("a")}/fd/${fd}`));
  expect(nodes.some((target) => target.startsWith(mesh.dataDir("a")))).toBe(true);
  expect(held.filter((target) => nodes.includes(target) && !target.startsWith("anon_inode:") && target !== "/dev/null")).toEqual([]);
  const names = readFileSync(`/proc/${pid}/environ`, "utf8")
    .split("\0")
    .map((entry) => entry.replace(/=.*/s, ""));
  // Where it is hidden a shell comes first, which adds the last of them.
  expect(names.filter((name) => name !== "" && ![...PASSED_ON, "PWD"].includes(name))).toEqual([]);
});

test("a plugin's process that is killed ends its works with the reason, and another takes its place", async () => {
  const before = (await own())["shell"];
  // 0 would be this program and all that it has started.
  const pid = before?.pid ?? expect.unreachable("it has no process of its own");
  const running = as("send", "a", "shell:run", "wait");
  await until(async () => ((await as("status")).stdout.includes('"shell:run"') ? true : undefined), 10_000, "it runs");
  process.kill(pid, "SIGKILL");
  const ran = await running;
  expect(ran.code, ran.stderr).toBe(3);
  expect(ran.objects.at(-1)).toMatchObject({
    type: "end",
    error: { code: "WORK_FAILED", message: expect.stringContaining("it was ended by SIGKILL") },
  });
  expect((await as("send", "a", "shell:run", "hello")).stdout).toContain("hello");
  const after = (await own())["shell"];
  expect(after).toMatchObject({ isolated: true, restarts: 1 });
  expect(after?.pid).not.toBe(pid);
});

test.skipIf(!POSSIBLE)(
  "a command of a plugin cannot read the node's keys where they are hidden (needs Linux with namespaces for users)",
  async () => {
    const key = identityFiles(mesh.dataDir("a")).key;
    const peeks = async (hide: boolean): Promise<Ran> => {
      configure(`shell: { isolation: { hide: ${hide} }, commands: { peek: cat ${key}, hello: echo hello } }`);
      process.kill(mesh.pid("a"), "SIGHUP");
      await until(async () => ((await own())["shell"]?.hidden === hide ? true : undefined), 10_000, `hide is ${hide}`);
      expect((await as("send", "a", "shell:run", "hello")).stdout).toContain("hello");
      return await as("send", "a", "shell:run", "peek");
    };
    expect((await peeks(false)).stdout).toContain("PRIVATE KEY");
    const hidden = await peeks(true);
    expect(hidden.code).not.toBe(0);
    expect(hidden.stdout).toContain("No such file");
    expect(hidden.stdout).not.toContain("PRIVATE KEY");
  },
);

test("SIGHUP moves a plugin to where the configuration says now", async () => {
  configure("shell: { trusted: true, commands: { hello: echo hello } }\n  echo: { trusted: false }");
  process.kill(mesh.pid("a"), "SIGHUP");
  await until(async () => ((await own())["echo"]?.isolated === true ? true : undefined), 10_000, "echo runs apart");
  expect((await own())["shell"]?.isolated).toBe(false);
  expect((await as("send", "a", "echo:run", "hi")).stdout).toContain("hi");
});
