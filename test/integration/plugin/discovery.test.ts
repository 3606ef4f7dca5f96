import { mkdir, symlink } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { discoverPlugins } from "../../../src/plugin/discovery.ts";
import { source, Workshop } from "./fixture.ts";

const GREET = { "index.js": source("greet") };

describe("discoverPlugins", () => {
  it("finds nothing where there is no folder", async () => {
    await using workshop = await Workshop.open();
    expect(await discoverPlugins({ pluginDir: workshop.pluginDir, cwd: workshop.root })).toEqual({ found: [], problems: [] });
  });

  it("orders explicit ones, the plugin folder, and dependencies by name", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("zeta", GREET);
    await workshop.install("beta", GREET);
    await workshop.package("app/node_modules/dep-b", GREET);
    await workshop.package("app/node_modules/dep-a", GREET);
    await workshop.package("app/node_modules/library", GREET, { keywords: [] });
    await workshop.write("app/package.json", { dependencies: { "dep-b": "1", library: "1", "dep-a": "1", gone: "1" } });
    const own = await workshop.package("own", GREET);
    const { found, problems } = await discoverPlugins({ pluginDir: workshop.pluginDir, cwd: workshop.path("app"), specs: [own] });
    expect(problems).toEqual([]);
    expect(found.map(({ origin, package: name }) => [origin, name])).toEqual([
      ["spec", "own"],
      ["folder", "beta"],
      ["folder", "zeta"],
      ["dependency", "dep-a"],
      ["dependency", "dep-b"],
    ]);
  });

  it("finds the packages of a workspace, each once", async () => {
    await using workshop = await Workshop.open();
    await workshop.package("app/plugins/greet", GREET, { name: "@me/greet" });
    await mkdir(workshop.path("app/node_modules/@me"), { recursive: true });
    await symlink("../../plugins/greet", workshop.path("app/node_modules/@me/greet"));
    await workshop.write("app/package.json", { workspaces: ["plugins/*"] });
    const { found } = await discoverPlugins({ pluginDir: workshop.pluginDir, cwd: workshop.path("app"), specs: ["./plugins/greet"] });
    expect(found.map(({ origin, package: name }) => [origin, name])).toEqual([["spec", "@me/greet"]]);
    const again = await discoverPlugins({ pluginDir: workshop.pluginDir, cwd: workshop.path("app") });
    expect(again.found.map(({ package: name }) => name)).toEqual(["@me/greet"]);
  });

  it.each([
    ["no field", { receptor: undefined }, "it is no plugin"],
    [
      "another interface",
      { receptor: { plugin: "./index.js", api: "^2" } },
      "it is for version ^2 of the plugin interface; this node has 1.0.0",
    ],
    ["no interface", { receptor: { plugin: "./index.js" } }, "does not say which version of the plugin interface"],
    [
      "no file",
      { receptor: { plugin: "./dist/index.js", api: "^1" } },
      "it has no file ./dist/index.js; if it is compiled, build it first",
    ],
    ["a file outside", { receptor: { plugin: "../../evil.js", api: "^1" } }, "leads out of the package"],
    ["a bad name", { receptor: { plugin: "./index.js", api: "^1", name: "No Name" } }, "is no plugin name"],
  ])("says which package is wrong and how: %s", async (_, manifest, message) => {
    await using workshop = await Workshop.open();
    await workshop.install("bad", { "index.js": 'throw new Error("its code was run");' }, manifest);
    await workshop.install("good", GREET);
    const { found, problems } = await discoverPlugins({ pluginDir: workshop.pluginDir });
    expect(found.map(({ package: name }) => name)).toEqual(["good"]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ package: "bad", error: { code: "PLUGIN_INVALID" } });
    expect(problems[0]?.error.message).toMatch(/^bad: /);
    expect(problems[0]?.error.message).toContain(message);
  });

  it("takes an installed package by the name that its package.json gives its plugin, and says what is installed", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("@some/plugin-greet", GREET, { receptor: { plugin: "./index.js", api: "^1", name: "greet" } });
    const look = (spec: string) => discoverPlugins({ pluginDir: workshop.pluginDir, cwd: workshop.root, specs: [spec] });
    const { found, problems } = await look("greet");
    expect(found).toMatchObject([{ package: "@some/plugin-greet", origin: "spec", label: "greet" }]);
    expect(problems).toEqual([]);
    const other = await look("great");
    expect(other.problems.map(({ error }) => error.message)).toEqual([
      "great: there is no such package, and installed are @some/plugin-greet; `receptor plugin add` installs one, a path begins with ./ or /",
    ]);
  });

  it("takes a file as it is, and says what is not there", async () => {
    await using workshop = await Workshop.open();
    const file = await workshop.write("one.mjs", source("one"));
    const { found, problems } = await discoverPlugins({
      pluginDir: workshop.pluginDir,
      cwd: workshop.root,
      specs: ["./one.mjs", "./two.mjs", "three"],
    });
    expect(found).toMatchObject([{ entry: file, package: "./one.mjs" }]);
    expect(problems.map(({ error }) => error.message)).toEqual([
      `./two.mjs: there is nothing at ${workshop.path("two.mjs")}`,
      "three: there is no such package, and none is installed; `receptor plugin add` installs one, a path begins with ./ or /",
    ]);
  });

  it("survives a package.json that is no JSON", async () => {
    await using workshop = await Workshop.open();
    await workshop.install("good", GREET);
    await workshop.write("app/package.json", "{");
    const { found, problems } = await discoverPlugins({ pluginDir: workshop.pluginDir, cwd: workshop.path("app") });
    expect(found).toHaveLength(1);
    expect(problems[0]?.error.message).toContain("its package.json is no JSON");
  });
});
