import { execFile } from "node:child_process";
import { chmod, lstat, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installPlugin, removePlugin } from "../../../src/plugin/install.ts";
import { listInstalled } from "../../../src/plugin/installed.ts";
import { PluginRegistry } from "../../../src/plugin/registry.ts";
import { answers, source, Workshop } from "./fixture.ts";

const run = promisify(execFile);
let workshop: Workshop;
let greet1: string;
let greet2: string;

/** Packs a package as its author would. */
async function pack(folder: string, files: Readonly<Record<string, string>>, manifest: object): Promise<string> {
  const path = await workshop.package(folder, files, manifest);
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", workshop.root], { cwd: path });
  return workshop.path(stdout.trim());
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

beforeAll(async () => {
  workshop = await Workshop.open();
  const peers = { peerDependencies: { "receptor-mesh": "^0.1.0" } };
  const marks = { scripts: { postinstall: "node -e \"require('node:fs').writeFileSync('installed-by-script','')\"" } };
  greet1 = await pack("greet1", { "index.js": source("greet", '"one"') }, { name: "@me/greet", ...peers, ...marks });
  greet2 = await pack("greet2", { "index.js": source("greet", '"two"') }, { name: "@me/greet", version: "2.0.0", ...peers });
});

afterAll(async () => {
  await workshop[Symbol.asyncDispose]();
});

describe("installPlugin", () => {
  it("installs a tarball, tells what it is, and a node loads it; then its upgrade; then it is removed", async () => {
    const folder = workshop.path("life", "plugins");
    const installed = await installPlugin(folder, "./me-greet-1.0.0.tgz", { cwd: workshop.root });
    expect(installed).toEqual({ name: "greet", package: "@me/greet", version: "1.0.0", actions: ["run"] });
    expect(await listInstalled(folder)).toEqual([installed]);
    expect(await exists(join(folder, "node_modules/@me/greet/installed-by-script"))).toBe(false);

    const registry = new PluginRegistry({ pluginDir: folder, plugins: "auto", watch: true });
    await registry.open();
    expect(await answers(registry.plugins.get("greet")?.definition)).toEqual(["one"]);
    expect(await installPlugin(folder, greet2)).toMatchObject({ version: "2.0.0" });
    await expect.poll(() => registry.plugins.get("greet")?.version, { timeout: 2_000 }).toBe("2.0.0");
    expect(await answers(registry.plugins.get("greet")?.definition)).toEqual(["two"]);
    expect(await removePlugin(folder, "greet")).toEqual({ package: "@me/greet" });
    await expect.poll(() => registry.plugins.size, { timeout: 2_000 }).toBe(0);
    expect(await listInstalled(folder)).toEqual([]);
    await registry.close();
  });

  it("runs install scripts only when it may", async () => {
    const folder = workshop.path("scripts", "plugins");
    await installPlugin(folder, greet1, { allowScripts: true });
    expect(await exists(join(folder, "node_modules/@me/greet/installed-by-script"))).toBe(true);
  });

  it("copies a folder instead of linking it, and takes it once more", async () => {
    const folder = workshop.path("folders", "plugins");
    await workshop.package("src/mine", { "index.js": source("mine") }, { name: "mine" });
    await installPlugin(folder, "src/mine", { cwd: workshop.root });
    expect((await lstat(join(folder, "node_modules/mine"))).isSymbolicLink()).toBe(false);
    expect(await installPlugin(folder, "./src/mine", { cwd: workshop.root })).toMatchObject({ name: "mine" });
  });

  it.each([
    ["is no plugin", { receptor: undefined }, {}, "it is no plugin"],
    ["is for another interface", { receptor: { plugin: "./index.js", api: "^7" } }, {}, "it is for version ^7"],
    ["cannot be loaded", {}, { "index.js": "throw new Error('broken');" }, "loading it failed: broken"],
    ["has a taken name", {}, { "index.js": source("first") }, 'the plugin name "first" is taken by first 1.0.0'],
  ])("takes back what %s", async (what, manifest, files, message) => {
    const name = what.replaceAll(" ", "-");
    const folder = workshop.path(name, "plugins");
    await workshop.package("src/first", { "index.js": source("first") }, { name: "first" });
    await installPlugin(folder, workshop.path("src/first"));
    const before = await readFile(join(folder, "package.json"), "utf8");
    const bad = await workshop.package(`src/${name}`, { "index.js": source("other"), ...files }, { name, ...manifest });
    const failing = installPlugin(folder, bad);
    await expect(failing).rejects.toMatchObject({ code: "PLUGIN_INVALID" });
    await expect(failing).rejects.toThrow(message);
    expect(await readFile(join(folder, "package.json"), "utf8")).toBe(before);
    expect((await readdir(join(folder, "node_modules"))).filter((entry) => !entry.startsWith("."))).toEqual(["first"]);
  });

  it("goes back to the version before where an upgrade is no good", async () => {
    const folder = workshop.path("back", "plugins");
    await installPlugin(folder, greet1);
    const bad = await pack("greet3", { "index.js": "export default 7;" }, { name: "@me/greet", version: "3.0.0" });
    await expect(installPlugin(folder, bad)).rejects.toMatchObject({ code: "PLUGIN_INVALID" });
    expect(await listInstalled(folder)).toMatchObject([{ name: "greet", version: "1.0.0" }]);
  });

  it("lets two at once take turns", async () => {
    const folder = workshop.path("turns", "plugins");
    const mine = await workshop.package("src/turn", { "index.js": source("turn") }, { name: "turn" });
    const both = await Promise.all([installPlugin(folder, greet1), installPlugin(folder, mine)]);
    expect(both.map(({ name }) => name)).toEqual(["greet", "turn"]);
    expect((await listInstalled(folder)).map(({ name }) => name)).toEqual(["greet", "turn"]);
  });

  it("takes over the lock of a process that is gone", async () => {
    const folder = workshop.path("stale", "plugins");
    const child = execFile("node", ["-e", ""]);
    await new Promise((resolve) => child.once("exit", resolve));
    await workshop.write("stale/plugins/.lock", String(child.pid));
    expect(await installPlugin(folder, greet1)).toMatchObject({ name: "greet" });
  });

  it.each([
    ["a path that is not there", "./gone.tgz", "PLUGIN_INSTALL_FAILED", /there is nothing at .*gone\.tgz; check the path/],
    ["an option", "--global", "INVALID_ARGUMENT", /"--global" is no package to install/],
    ["nothing", "", "INVALID_ARGUMENT", /"" is no package to install/],
  ])("refuses %s", async (_, spec, code, message) => {
    const failing = installPlugin(workshop.path("refuses", "plugins"), spec, { cwd: workshop.root });
    await expect(failing).rejects.toMatchObject({ code });
    await expect(failing).rejects.toThrow(message);
  });

  it("says that there is no npm", async () => {
    const failing = installPlugin(workshop.path("none", "plugins"), greet1, { npm: workshop.path("no-such-npm") });
    await expect(failing).rejects.toThrow("npm was not found; install Node.js with npm, or put npm on the PATH");
  });

  it.each([
    ["E404", "404 Not Found - GET https://registry.example/gone - Not found", "check the name"],
    ["ENOTFOUND", "network request to https://registry.example/gone failed", "the registry cannot be reached"],
    ["ETARGET", "notarget No matching version found for gone@9", "check the version"],
  ])("says npm's essential line and what to do: %s", async (code, line, advice) => {
    const npm = workshop.path(`npm-${code}`);
    await writeFile(
      npm,
      `#!/bin/sh\nprintf 'npm warn x\\nnpm error code ${code}\\nnpm error errno ${code}\\nnpm error ${line}\\nnpm error A complete log\\n' >&2\nexit 1\n`,
    );
    await chmod(npm, 0o755);
    const failing = installPlugin(workshop.path(code, "plugins"), "gone", { npm });
    await expect(failing).rejects.toMatchObject({ code: "PLUGIN_INSTALL_FAILED", data: { npmCode: code } });
    await expect(failing).rejects.toThrow(`npm: ${line}; ${advice}`);
  });

  it("ends npm and what it started when the call is ended, and when it takes too long", async () => {
    const npm = workshop.path("npm-sleeps");
    await writeFile(npm, "#!/bin/sh\nsleep 60 & wait\n");
    await chmod(npm, 0o755);
    const folder = workshop.path("sleeps", "plugins");
    await expect(installPlugin(folder, greet1, { npm, limit: 200 })).rejects.toThrow("npm did not finish within 0.2 s");
    const abort = new AbortController();
    const failing = installPlugin(folder, greet1, { npm, signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await expect(failing).rejects.toMatchObject({ code: "ABORTED" });
    expect(await exists(join(folder, ".lock"))).toBe(false);
  });
});

describe("removePlugin", () => {
  it("takes the package's name too, and names what there is", async () => {
    const folder = workshop.path("removes", "plugins");
    await installPlugin(folder, greet1);
    await expect(removePlugin(folder, "gret")).rejects.toThrow(/no plugin "gret" is installed in .*; there is greet/);
    await removePlugin(folder, "@me/greet");
    expect(await listInstalled(folder)).toEqual([]);
  });
});

describe("listInstalled", () => {
  it("lists one that cannot be loaded with the reason, and nothing where there is no folder", async () => {
    expect(await listInstalled(workshop.path("nowhere"))).toEqual([]);
    await workshop.write("list/package.json", { dependencies: { bad: "1" } });
    await workshop.package("list/node_modules/bad", { "index.js": "throw new Error('no');" }, { version: "1.2.3" });
    expect(await listInstalled(workshop.path("list"))).toEqual([
      { name: "bad", package: "bad", version: "1.2.3", error: "bad: loading it failed: no" },
    ]);
  });
});
