import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PluginStatus } from "../../src/node/api.ts";
import { pluginFolder, ProcessMesh, type Ready, until } from "../support/mesh.ts";

let mesh: ProcessMesh;
let controller: Ready;

beforeAll(async () => {
  mesh = new ProcessMesh();
  const worker = await mesh.start("worker", ["--listen", "tcp://127.0.0.1:0"]);
  controller = await mesh.start("controller", ["--listen", "tcp://127.0.0.1:0", "--peer", worker.listening[0] ?? ""]);
});

afterAll(async () => {
  await mesh.close();
});

/** A package as somebody elsewhere would write it, packed as npm packs it. */
async function pack(version: string, greeting: string): Promise<string> {
  const folder = join(mesh.folder, `greet-${version}`);
  await mkdir(join(folder, "dist"), { recursive: true });
  const manifest = {
    name: "greet-plugin",
    version,
    type: "module",
    keywords: ["receptor-plugin"],
    receptor: { plugin: "./dist/index.js", api: "^1" },
  };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "dist/words.js"), `export const greeting = ${JSON.stringify(greeting)};\n`);
  const code = `import { greeting } from "./words.js";
export default { name: "greet", actions: { async *run(input) { yield greeting + " " + (await input.text()); } } };
`;
  await writeFile(join(folder, "dist/index.js"), code);
  const { stdout } = await promisify(execFile)("npm", ["pack", "--json", "--pack-destination", mesh.folder], { cwd: folder });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  return join(mesh.folder, packed?.filename ?? "");
}

/** What the controller, a node away, knows of the worker's plugin. */
async function advertised(wanted: (plugin: PluginStatus | undefined) => boolean): Promise<number> {
  const { milliseconds } = await until(
    async () => {
      const { nodes } = await mesh.status(controller.listening[0] ?? "");
      const plugin = nodes.find(({ id }) => id === "worker")?.plugins.find(({ name }) => name === "greet");
      return wanted(plugin) ? true : undefined;
    },
    10_000,
    "the controller knows of the change",
  );
  return milliseconds;
}

async function greet(): Promise<string> {
  const ran = await mesh.run(["send", "worker", "greet:run", "you", "--peer", controller.listening[0] ?? ""]);
  return ran.code === 0 ? ran.stdout.trim() : ran.stderr;
}

test("a plugin from elsewhere is installed, seen by the others, used, upgraded and removed, and the node runs on", async () => {
  const pid = mesh.pid("worker");
  const folder = ["--data-dir", mesh.dataDir("worker")];

  const added = await mesh.run(["plugin", "add", await pack("1.0.0", "hello"), ...folder, "--json"]);
  expect(added).toMatchObject({ code: 0, objects: [{ name: "greet", version: "1.0.0" }] });
  // A status takes a while itself: half a second of it is the command's start.
  expect(await advertised((plugin) => plugin?.version === "1.0.0")).toBeLessThan(1_000 + 1_500);
  expect(await greet()).toBe("hello you");

  const listed = await mesh.run(["plugin", "list", ...folder, "--json"]);
  expect(listed.objects).toMatchObject([{ name: "greet", package: "greet-plugin", version: "1.0.0" }]);

  await mesh.run(["plugin", "add", await pack("2.0.0", "good day"), ...folder]);
  await advertised((plugin) => plugin?.version === "2.0.0");
  expect(await greet()).toBe("good day you");

  const removed = await mesh.run(["plugin", "remove", "greet", ...folder]);
  expect(removed.code).toBe(0);
  await advertised((plugin) => plugin === undefined);
  expect(await greet()).toContain("UNKNOWN_PLUGIN");
  expect(mesh.pid("worker")).toBe(pid);
  expect((await mesh.run(["ping", "worker", "-c", "1", "--peer", controller.listening[0] ?? ""])).code).toBe(0);
});

test("what is no plugin is not installed, and says why", async () => {
  const folder = join(mesh.folder, "no-plugin");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "no-plugin", version: "1.0.0" }));
  const added = await mesh.run(["plugin", "add", folder, "--data-dir", mesh.dataDir("worker")]);
  expect(added.code).toBe(1);
  expect(added.stderr).toContain("PLUGIN_INVALID");
  expect(added.stderr).not.toMatch(/^\s+at /m);
  const missing = await mesh.run(["plugin", "add", "./nowhere.tgz", "--data-dir", mesh.dataDir("worker")]);
  expect(missing.code).not.toBe(0);
  expect(missing.stderr).toContain("nowhere.tgz");
});

test("a plugin that is not there is told of once, with what is; the node runs without it", async () => {
  const { listening } = await mesh.start("lacking", ["--listen", "tcp://127.0.0.1:0", "--plugin", "nowhere"]);
  const { warnings } = await mesh.status(listening[0] ?? "");
  const told = "nowhere: there is no such package, and none is installed; `receptor plugin add` installs one, a path begins with ./ or /";
  expect(warnings).toEqual([told]);
  expect(mesh.log("lacking").filter(({ event }) => event === "plugin-left-out")).toMatchObject([{ error: told }]);
});

test("which plugins there are is logged once at the start", async () => {
  await mesh.start("telling", ["--listen", "tcp://127.0.0.1:0", "--plugin", pluginFolder("echo")]);
  expect(mesh.log("telling").filter(({ event }) => event === "plugins")).toMatchObject([
    { plugins: expect.arrayContaining([expect.stringMatching(/^echo@/)]) },
  ]);
});
