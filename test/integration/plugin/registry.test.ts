import { readdir, stat, utimes } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type PluginChange, PluginRegistry, type RegistryOptions } from "../../../src/plugin/registry.ts";
import { answers, source, Workshop } from "./fixture.ts";

async function open(workshop: Workshop, options: Partial<RegistryOptions> = {}): Promise<PluginRegistry & AsyncDisposable> {
  const registry = new PluginRegistry({ pluginDir: workshop.pluginDir, plugins: "auto", ...options });
  await registry.open();
  return Object.assign(registry, { [Symbol.asyncDispose]: () => registry.close() });
}

function messages(registry: PluginRegistry): string[] {
  return registry.problems.map(({ error }) => error.message);
}

function names({ added, upgraded, removed }: PluginChange): object {
  return {
    added: added.map(({ name }) => name),
    upgraded: upgraded.map(({ to }) => `${to.name}@${to.version}`),
    removed: removed.map(({ name }) => name),
  };
}

describe("PluginRegistry", () => {
  it("loads what is installed, with its facts", async () => {
    await using workshop = await Workshop.open();
    const code =
      "export default { name: 'greet', concurrency: 3, actions: { run() {}, nightly: { idempotent: true, concurrency: 1, deadline: 5, run() {} } } };";
    await workshop.install("greet", { "index.js": code }, { version: "1.2.3" });
    await using registry = await open(workshop);
    expect(registry.plugins.get("greet")?.facts).toEqual({
      name: "greet",
      version: "1.2.3",
      concurrency: 3,
      actions: new Map([
        ["run", { idempotent: false }],
        ["nightly", { idempotent: true, concurrency: 1, deadline: 5 }],
      ]),
    });
  });

  it("takes a CommonJS plugin, also a compiled one", async () => {
    await using workshop = await Workshop.open();
    const plain = "module.exports = { name: 'plain', actions: { run() {} } };";
    const compiled =
      "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = { name: 'compiled', actions: { run() {} } };";
    await workshop.install("a", { "index.js": plain }, { type: "commonjs" });
    await workshop.install("b", { "index.js": compiled }, { type: "commonjs" });
    await using registry = await open(workshop);
    expect([...registry.plugins.keys()]).toEqual(["plain", "compiled"]);
  });

  it.each([
    ["throws", 'throw new Error("no luck");', "bad: loading it failed: no luck"],
    ["cannot be parsed", "export default {", "bad: loading it failed: Unexpected"],
    ["imports what is not there", 'import "./gone.js";', "bad: loading it failed: Cannot find module"],
    ["never ends", "await new Promise(() => {});", "bad: loading it took longer than 300 ms"],
    ["has no default export", "export const name = 1;", "bad: it has no default export"],
    ["exports no object", "export default 7;", "bad: its default export is no plugin"],
    ["has a bad name", "export default { name: 'Bad Name', actions: { run() {} } };", 'bad: "Bad Name" is no plugin name'],
    ["has no actions", "export default { name: 'bad', actions: {} };", 'bad: plugin "bad" has no actions'],
    [
      "has a bad action",
      "export default { name: 'bad', actions: { run: 7 } };",
      'bad: action "run" is neither a function nor an object with run()',
    ],
    ["has a bad action name", "export default { name: 'bad', actions: { 'r n': () => {} } };", 'bad: "r n" is no action name'],
    [
      "has a bad concurrency",
      "export default { name: 'bad', concurrency: 0, actions: { run() {} } };",
      "bad: concurrency is a whole number of at least 1",
    ],
    [
      "does not start",
      "export default { name: 'bad', actions: { run() {} }, start() { throw new Error('no port'); } };",
      'bad: start() of plugin "bad" failed: no port',
    ],
    [
      "starts for ever",
      "export default { name: 'bad', actions: { run() {} }, start: () => new Promise(() => {}) };",
      'bad: start() of plugin "bad" took longer than 300 ms',
    ],
    ["has a reserved name", "export default { name: 'mesh', actions: { run() {} } };", 'bad: the name "mesh" is the node\'s own'],
  ])("leaves out one that %s, says so, and runs the others", async (_, code, message) => {
    await using workshop = await Workshop.open();
    await workshop.install("bad", { "index.js": code });
    await workshop.install("good", { "index.js": source("good") });
    await using registry = await open(workshop, { limit: 300, reserved: ["mesh"] });
    expect([...registry.plugins.keys()]).toEqual(["good"]);
    expect(registry.problems).toHaveLength(1);
    expect(registry.problems[0]?.error.code).toBe("PLUGIN_INVALID");
    expect(messages(registry)[0]).toContain(message);
  });

  it("keeps the first of two with one name, and names both", async () => {
    await using workshop = await Workshop.open();
    await workshop.package("app/node_modules/a-dependency", { "index.js": source("greet", '"dependency"') });
    await workshop.write("app/package.json", { dependencies: { "a-dependency": "1" } });
    await workshop.install("z-folder", { "index.js": source("greet", '"folder"') });
    await using registry = await open(workshop, { cwd: workshop.path("app") });
    expect(await answers(registry.plugins.get("greet")?.definition)).toEqual(["folder"]);
    expect(messages(registry)).toEqual([
      'a-dependency: the plugin name "greet" is taken by z-folder 1.0.0, so that a-dependency 1.0.0 is left out; remove one of the two',
    ]);
  });

  it("runs those that the configuration names, and explicit ones, with the options that their schemas made", async () => {
    await using workshop = await Workshop.open();
    const schema =
      "options: { parse: (value) => { if (typeof value.port !== 'number') throw new Error('port is a number'); return { port: value.port + 1 }; } },";
    const code = (name: string): string => `export default { name: "${name}", ${schema} actions: { run() {} } };`;
    await workshop.install("a", { "index.js": code("a") });
    await workshop.install("b", { "index.js": code("b") });
    await workshop.install("c", { "index.js": source("c") });
    const extra = await workshop.write("extra.mjs", source("extra"));
    await using registry = await open(workshop, { plugins: { a: { port: 1 }, b: { port: "x" }, eco: {} }, specs: [extra] });
    expect([...registry.plugins.keys()]).toEqual(["extra", "a"]);
    expect(registry.plugins.get("a")?.options).toEqual({ port: 2 });
    expect(messages(registry)).toEqual([
      'b: plugin "b" does not take its options: port is a number',
      "eco: the configuration names this plugin, and none of that name can be loaded; there is c, a, b, extra",
    ]);
  });

  it("does not even load one that says its name, where the configuration leaves it out", async () => {
    await using workshop = await Workshop.open();
    await workshop.install(
      "a",
      { "index.js": "globalThis.wasLoaded = true; export default { name: 'a', actions: { run() {} } };" },
      {
        receptor: { plugin: "./index.js", api: "^1", name: "a" },
      },
    );
    await using registry = await open(workshop, { plugins: {} });
    expect([...registry.plugins.keys()]).toEqual([]);
    expect("wasLoaded" in globalThis).toBe(false);
  });

  it("loads an upgrade anew, with all of its files and those of its dependencies", async () => {
    await using workshop = await Workshop.open();
    const files = (inner: string): Record<string, string> => ({
      "index.js": source(
        "greet",
        "await all()",
        'import { inner } from "./inner.js";\nimport dep from "dep";\nconst all = async () => [inner, dep, (await import("./lazy.js")).lazy].join();',
      ),
      "inner.js": `export const inner = "inner ${inner}";`,
      "lazy.js": `export const lazy = "lazy ${inner}";`,
    });
    const dependency = (value: string): Promise<string> =>
      workshop.package(
        "data/plugins/node_modules/dep",
        { "index.js": 'export { value as default } from "./value.js";', "value.js": `export const value = "dep ${value}";` },
        { exports: "./index.js" },
      );
    await dependency("one");
    await workshop.install("greet", files("one"), { dependencies: { dep: "1" } });
    await using registry = await open(workshop);
    const old = registry.plugins.get("greet")?.definition;

    await dependency("two");
    await workshop.install("greet", files("two"), { version: "2.0.0", dependencies: { dep: "2" } });
    expect(names(await registry.reload())).toEqual({ added: [], upgraded: ["greet@2.0.0"], removed: [] });
    expect(await answers(registry.plugins.get("greet")?.definition)).toEqual(["inner two,dep two,lazy two"]);
    expect(await answers(old)).toEqual(["inner one,dep one,lazy one"]);

    await dependency("three");
    await registry.reload();
    expect(await answers(registry.plugins.get("greet")?.definition)).toEqual(["inner two,dep three,lazy two"]);
    await expect.poll(() => readdir(workshop.path("data/plugins/.loaded"))).toHaveLength(1);
  });

  it("gives a plugin the node's own receptor-mesh as its peer", async () => {
    await using workshop = await Workshop.open();
    const code = source("greet", "manifest.name", 'import manifest from "receptor-mesh/package.json" with { type: "json" };');
    await workshop.install("greet", { "index.js": code }, { peerDependencies: { "receptor-mesh": "^0.1.0" } });
    await using registry = await open(workshop);
    expect(messages(registry)).toEqual([]);
    expect(await answers(registry.plugins.get("greet")?.definition)).toEqual(["receptor-mesh"]);
  });

  it("loads a package outside of the plugin folder in its place, and anew when it has changed", async () => {
    await using workshop = await Workshop.open();
    const own = await workshop.package("own", {
      "index.js": source("own", "import.meta.url + value", 'import { value } from "./value.js";'),
      "value.js": "export const value = 1;",
    });
    await using registry = await open(workshop, { specs: [own] });
    expect(await answers(registry.plugins.get("own")?.definition)).toEqual([`file://${own}/index.js1`]);
    await workshop.write("own/value.js", "export const value = 22;");
    await registry.reload();
    expect(String(await answers(registry.plugins.get("own")?.definition))).toMatch(/\.loaded.*index\.js22$/);
  });

  it("leaves a plugin alone that did not change", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("greet", {
      "index.js": "let starts = 0; export default { name: 'greet', actions: { async *run() { yield starts; } }, start() { starts++; } };",
    });
    await using registry = await open(workshop);
    const before = registry.plugins.get("greet");
    let told = 0;
    registry.onChange(() => told++);
    expect(names(await registry.reload())).toEqual({ added: [], upgraded: [], removed: [] });
    expect(registry.plugins.get("greet")).toBe(before);
    expect(await answers(before?.definition)).toEqual([1]);
    expect(told).toBe(0);
  });

  it("stops a removed plugin only when its last work has ended", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("greet", {
      "index.js": "let stopped = 0; export default { name: 'greet', actions: { async *run() { yield stopped; } }, stop() { stopped++; } };",
    });
    let release = (): void => undefined;
    const drained = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using registry = await open(workshop, { drained: () => drained });
    const definition = registry.plugins.get("greet")?.definition;
    await workshop.uninstall("greet");
    expect(names(await registry.reload())).toEqual({ added: [], upgraded: [], removed: ["greet"] });
    expect(await answers(definition)).toEqual([0]);
    release();
    await expect.poll(() => answers(definition)).toEqual([1]);
  });

  it("makes another instance for other options, and stops the old one", async () => {
    await using workshop = await Workshop.open();
    const code =
      "const log = []; export default { name: 'greet', actions: { async *run() { yield* log; } }, start(o) { log.push('start ' + o.port); }, stop() { log.push('stop'); } };";
    await workshop.install("greet", { "index.js": code });
    await using registry = await open(workshop, { plugins: { greet: { port: 1 } } });
    const old = registry.plugins.get("greet");
    await registry.reload({ plugins: { greet: { port: 2 } } });
    const fresh = registry.plugins.get("greet");
    expect(fresh?.options).toEqual({ port: 2 });
    expect(await answers(fresh?.definition)).toEqual(["start 2"]);
    await expect.poll(() => answers(old?.definition)).toEqual(["start 1", "stop"]);
  });

  it("keeps the old version running where its upgrade cannot be loaded", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("greet", { "index.js": source("greet", '"old"') });
    await using registry = await open(workshop);
    await workshop.install("greet", { "index.js": "throw new Error('broken');" }, { version: "2.0.0" });
    expect(names(await registry.reload())).toEqual({ added: [], upgraded: [], removed: [] });
    expect(await answers(registry.plugins.get("greet")?.definition)).toEqual(["old"]);
    expect(messages(registry)).toEqual(["greet: loading it failed: broken"]);
    await workshop.install("greet", { "index.js": source("greet", '"new"') }, { version: "2.0.1" });
    await registry.reload();
    expect(await answers(registry.plugins.get("greet")?.definition)).toEqual(["new"]);
    expect(registry.problems).toEqual([]);
  });

  it("notices within a second that a plugin was added and removed", async () => {
    await using workshop = await Workshop.open();
    await using registry = await open(workshop, { watch: true });
    await wait(50);
    await workshop.install("greet", { "index.js": source("greet") });
    await expect.poll(() => registry.plugins.has("greet"), { timeout: 1_500, interval: 20 }).toBe(true);
    await workshop.uninstall("greet");
    await expect.poll(() => registry.plugins.has("greet"), { timeout: 1_500, interval: 20 }).toBe(false);
  });

  it("stops every plugin at close, also where one does not stop", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("a", { "index.js": "export default { name: 'a', actions: { run() {} }, stop: () => new Promise(() => {}) };" });
    await workshop.install("b", {
      "index.js":
        "let stopped = false; export default { name: 'b', actions: { async *run() { yield stopped; } }, stop() { stopped = true; } };",
    });
    const registry = await open(workshop, { limit: 1_000 });
    const b = registry.plugins.get("b")?.definition;
    await registry.close();
    await registry.close();
    expect(await answers(b)).toEqual([true]);
  });

  it("uses a copy again that an earlier process made", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("greet", { "index.js": source("greet") });
    await (await open(workshop)).close();
    const [copy = ""] = await readdir(workshop.path("data/plugins/.loaded"));
    const marked = workshop.path("data/plugins/.loaded", copy);
    await utimes(marked, 1, 1);
    await (await open(workshop)).close();
    expect((await stat(marked)).mtimeMs).toBe(1_000);
  });
});
