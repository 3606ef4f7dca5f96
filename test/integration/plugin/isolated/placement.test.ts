import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PluginRegistry, type RegistryOptions } from "../../../../src/plugin/registry.ts";
import { source, Workshop } from "../fixture.ts";
import { hidingCommand } from "../../../../src/plugin/isolated/hiding.ts";
import { isAlive } from "./harness.ts";

const [tool, ...words] = [...hidingCommand([], "/"), "true"];
/** Whether this machine lets its users have namespaces. */
const POSSIBLE = process.platform === "linux" && spawnSync(tool, words).status === 0;

async function open(workshop: Workshop, options: Partial<RegistryOptions>): Promise<PluginRegistry & AsyncDisposable> {
  const registry = new PluginRegistry({ pluginDir: workshop.pluginDir, plugins: "auto", ...options });
  await registry.open();
  return Object.assign(registry, { [Symbol.asyncDispose]: () => registry.close() });
}

const SECURE = { node: "worker", byDefault: true };
const PLAIN = { node: "worker", byDefault: false };
/** Says that it has a name, and what the process is that loaded it. */
const named = (name: string) => ({ receptor: { plugin: "./index.js", api: "^1", name } });

describe("PluginRegistry, of plugins in processes of their own", () => {
  it.each([
    ["all by default with security", SECURE, {}, true],
    ["not those that are trusted", SECURE, { trusted: true }, false],
    ["none by default without", PLAIN, {}, false],
    ["those that are not trusted", PLAIN, { trusted: false }, true],
  ])("runs apart %s, whether a package says its plugin's name or not", async (_, isolation, part, apart) => {
    await using workshop = await Workshop.open();
    await workshop.install("says", { "index.js": source("says") }, named("says"));
    await workshop.install("quiet", { "index.js": source("quiet") });
    await using registry = await open(workshop, { isolation, plugins: { says: part, quiet: part } });
    expect(registry.problems).toEqual([]);
    const found = [...registry.plugins.values()].map((plugin) => [plugin.name, plugin.apart !== undefined]);
    expect(Object.fromEntries(found)).toEqual({ quiet: apart, says: apart });
  });

  it("runs none of the code in the node's process, not even of one that is then left out", async () => {
    await using workshop = await Workshop.open();
    const note = workshop.path("pid");
    const code = (name: string): string =>
      `import { writeFileSync } from "node:fs"; globalThis.${name}WasHere = true; writeFileSync("${note}-${name}", String(process.pid));\n${source(name)}`;
    await workshop.install("wanted", { "index.js": code("wanted") });
    await workshop.install("unwanted", { "index.js": code("unwanted") });
    await using registry = await open(workshop, { isolation: SECURE, plugins: { wanted: {} } });
    expect([...registry.plugins.keys()]).toEqual(["wanted"]);
    expect(["wantedWasHere", "unwantedWasHere"].map((name) => name in globalThis)).toEqual([false, false]);
    const pids = ["wanted", "unwanted"].map((name) => Number(readFileSync(`${note}-${name}`, "utf8")));
    expect(pids.map(isAlive)).toEqual([true, false]);
  });

  it.skipIf(!POSSIBLE)(
    "hides the data folder from one that has to be asked for its name, if it may be one from which it is hidden",
    async () => {
      await using workshop = await Workshop.open();
      const key = await workshop.write("data/identity/node.key", "a secret");
      const note = workshop.path("note");
      const looks = `import fs from "node:fs"; let found = "nothing"; try { found = fs.readFileSync("${key}", "utf8"); } catch {} fs.appendFileSync("${note}", found + "|");\n`;
      await workshop.install("quiet", { "index.js": looks + source("quiet") });
      const secrets = { dataDir: workshop.path("data"), plugins: workshop.pluginDir };
      const isolation = { ...SECURE, secrets };
      await using registry = await open(workshop, { isolation, plugins: { quiet: { isolation: { hide: true } } } });
      expect(registry.plugins.get("quiet")?.apart?.hidden).toBe(true);
      expect(readFileSync(note, "utf8")).toMatch(/^(nothing\|)+$/);
    },
  );

  it.each([
    ["throws", "throw new Error('no luck');", "bad: loading it failed: no luck"],
    ["is no plugin", "export default 7;", "bad: its default export is no plugin: an object with a name and actions"],
    ["ends its process", "process.exit(4);", 'bad: loading it failed: the process of plugin "bad" ended: it ended with status 4'],
    [
      "does not start",
      "export default { name: 'bad', actions: { run() {} }, start() { throw new Error('no port'); } };",
      'bad: start() of plugin "bad" failed: no port',
    ],
    [
      "does not take its options",
      "export default { name: 'bad', actions: { run() {} }, options: { parse() { throw new Error('port is a number'); } } };",
      'bad: plugin "bad" does not take its options: port is a number',
    ],
  ])("leaves out one that %s, says so as it does of one in the node's process, and leaves no process behind", async (_, code, message) => {
    await using workshop = await Workshop.open();
    await workshop.install("bad", { "index.js": code });
    await using registry = await open(workshop, { isolation: SECURE });
    expect(registry.problems.map(({ error }) => [error.code, error.message])).toEqual([["PLUGIN_INVALID", message]]);
    expect([...registry.plugins.keys()]).toEqual([]);
  });

  it("exchanges the process with the version, with the options and with the limits, and ends the old one", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("it", { "index.js": source("it") }, named("it"));
    await using registry = await open(workshop, { isolation: SECURE, plugins: { it: { port: 1 } } });
    const pids: (number | undefined)[] = [];
    const now = (): void => void pids.push(registry.plugins.get("it")?.apart?.pid);
    now();
    await registry.reload();
    now();
    expect(pids[1]).toBe(pids[0]);
    await workshop.install("it", { "index.js": source("it", '"two"') }, { version: "2.0.0", ...named("it") });
    await registry.reload();
    now();
    await registry.reload({ plugins: { it: { port: 2 } } });
    now();
    await registry.reload({ plugins: { it: { port: 2, isolation: { memory: 100 * 2 ** 20 } } } });
    now();
    expect(new Set(pids.slice(1)).size).toBe(4);
    await registry.reload({ plugins: { it: { port: 2, trusted: true } } });
    expect(registry.plugins.get("it")?.apart).toBeUndefined();
    expect(registry.plugins.get("it")?.options).toEqual({ port: 2 });
    await expect.poll(() => pids.filter((pid) => isAlive(pid ?? 0))).toEqual([]);
  });

  it("leaves no process behind when it is closed", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("a", { "index.js": source("a") });
    await workshop.install("b", { "index.js": "export default { name: 'b', actions: { run() {} }, stop: () => new Promise(() => {}) };" });
    const registry = await open(workshop, { isolation: SECURE, limit: 3_000 });
    const pids = [...registry.plugins.values()].map(({ apart }) => apart?.pid ?? 0);
    expect(pids.map(isAlive)).toEqual([true, true]);
    await registry.close();
    expect(pids.map(isAlive)).toEqual([false, false]);
  });
});
