import { spawnSync } from "node:child_process";
import { chmod, chown, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { hidingCommand, isInside } from "../../../../src/plugin/isolated/hiding.ts";
import type { Secrets } from "../../../../src/plugin/isolated/launch.ts";
import { Workshop } from "../fixture.ts";
import { Bench, type BenchOptions } from "./harness.ts";

const SECRET = "the-key-of-the-node";
const NOBODY = 65_534;
const TSX = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = process.getuid?.() === 0;
/** Whether this machine lets its users have namespaces. */
const [tool, ...words] = [...hidingCommand([], "/"), "true"];
const POSSIBLE = process.platform === "linux" && spawnSync(tool, words).status === 0;
/** Whether another user can read this program. */
const SHARED =
  ROOT && spawnSync(process.execPath, ["-e", `fs.accessSync(${JSON.stringify(HERE)})`], { uid: NOBODY, gid: NOBODY }).status === 0;

/** Every way that a plugin has to a file, and to the process of its node; each answers what it got. */
const THIEF = `
async run(input) {
  const { data, node } = await input.json();
  const key = data + "/identity/node.key";
  const read = (path) => { try { return fs.readFileSync(path, "latin1"); } catch (error) { return error.code; } };
  const sh = (line) => { const { stdout, stderr } = spawnSync("sh", ["-c", line]); return String(stdout) + String(stderr); };
  const link = (path) => { try { return fs.readlinkSync(path); } catch (error) { return error.code; } };
  const listed = (path) => { try { return fs.readdirSync(path); } catch (error) { return error.code; } };
  return {
    read: read(key),
    store: read(data + "/store/000005.log"),
    self: read("/proc/self/root" + key),
    root: read("/proc/" + node + "/root" + key),
    cwd: read("/proc/" + node + "/cwd/package.json"),
    environment: read("/proc/" + node + "/environ"),
    memory: read("/proc/" + node + "/mem"),
    descriptor: link("/proc/" + node + "/fd/0"),
    command: sh("cat " + key),
    uncovered: sh("umount " + data + "; umount -l " + data + "; cat " + key),
    again: sh("unshare --user --map-root-user --mount sh -c 'umount " + data + "; umount -l " + data + "; mount --move " + data + " /mnt; cat " + key + "'"),
    entered: sh("nsenter -t " + node + " -m cat " + key),
    moved: sh("mv " + data + " " + data + ".moved && cat " + data + ".moved/identity/node.key; mv " + data + ".moved " + data),
    written: sh("echo x > " + data + "/new; echo x >> " + data + "/plugins/installed; echo x > " + data + "/plugins/new; ls " + data + "/new " + data + "/plugins/new"),
    installed: read(data + "/plugins/installed"),
    names: listed(data),
    mine: sh("echo mine > " + data + "/../mine && cat " + data + "/../mine"),
  };
}`;

/** A data folder as a node has it, beside the plugin. */
async function dataFolder(workshop: Workshop): Promise<Secrets> {
  const file = await workshop.write("data/identity/node.key", SECRET);
  await chmod(file, 0o600);
  await workshop.write("data/store/000005.log", SECRET);
  await workshop.write("data/plugins/installed", "a plugin");
  return { dataDir: workshop.path("data"), plugins: workshop.pluginDir };
}

async function stolen(how: BenchOptions): Promise<Readonly<Record<string, unknown>>> {
  await using workshop = await Workshop.open();
  const secrets = await dataFolder(workshop);
  await using bench = await Bench.open(THIEF, { secrets, ...how });
  const [json = ""] = await bench.ask("run", JSON.stringify({ data: secrets.dataDir, node: process.pid }));
  expect(await readFile(join(secrets.dataDir, "identity/node.key"), "utf8")).toBe(SECRET);
  return { hidden: bench.plugin.hidden, ...(JSON.parse(json) as object) };
}

describe.skipIf(!POSSIBLE)("a plugin from which the data folder is hidden (needs Linux with namespaces for users)", () => {
  it("finds neither keys nor store nor a way into the node, by itself or by a command, and has all else", async () => {
    const { hidden, installed, names, mine, ...got } = await stolen({ hide: true });
    expect(hidden).toBe(true);
    expect(JSON.stringify(got)).not.toContain(SECRET);
    const { root, cwd, environment, memory, descriptor } = got;
    for (const code of [root, cwd, environment, memory, descriptor]) expect(code).toBe("EACCES");
    expect(got["read"]).toBe("ENOENT");
    expect(got["written"]).not.toMatch(/^\//m);
    expect({ installed, names, mine }).toEqual({ installed: "a plugin", names: ["plugins"], mine: "mine\n" });
  });

  it("would find them were they not hidden", async () => {
    const got = await stolen({ hide: false });
    expect(got).toMatchObject({ hidden: false, read: SECRET, store: SECRET, root: SECRET, command: SECRET });
    expect(got["environment"]).toContain("PATH=");
  });

  it("has the folders hidden that the configuration names beside it", async () => {
    await using workshop = await Workshop.open();
    const secrets = await dataFolder(workshop);
    await workshop.write("pki/tls.key", SECRET);
    const read = `async run(input) { try { return fs.readFileSync(await input.text(), "utf8"); } catch (error) { return error.code; } }`;
    await using bench = await Bench.open(read, { secrets, hide: [workshop.path("pki")] });
    expect(await bench.ask("run", workshop.path("pki/tls.key"))).toEqual(["ENOENT"]);
    expect(await bench.ask("run", join(secrets.dataDir, "identity/node.key"))).toEqual(["ENOENT"]);
  });

  it("is not run where it lies in what is to be hidden, and the reason says so", async () => {
    await using workshop = await Workshop.open();
    const secrets = await dataFolder(workshop);
    const all = { ...secrets, dataDir: "/" };
    await expect(Bench.open("async run() {}", { secrets: all, hide: true })).rejects.toMatchObject({
      code: "PLUGIN_INVALID",
      message: expect.stringMatching(/cannot be hidden from its process: it has to read \//) as unknown,
    });
  });

  it("is started again as it was: hidden", async () => {
    await using workshop = await Workshop.open();
    const secrets = await dataFolder(workshop);
    const actions = `async run(input) { try { return fs.readFileSync(await input.text(), "utf8"); } catch (error) { return error.code; } }, async die() { process.kill(process.pid, "SIGKILL"); await sleep(1_000); }`;
    await using bench = await Bench.open(actions, { secrets, hide: true });
    await expect(bench.ask("die")).rejects.toMatchObject({ code: "WORK_FAILED" });
    expect(await bench.ask("run", join(secrets.dataDir, "identity/node.key"))).toEqual(["ENOENT"]);
    expect(bench.plugin.restarts).toBe(1);
  });

  it.skipIf(!SHARED)("is one of a node that is not root, wherever that began (needs root to be somebody else)", async () => {
    await using workshop = await Workshop.open();
    const { dataDir } = await dataFolder(workshop);
    // Its name is what it finds, from where it stands.
    const look = `import fs from "node:fs"; let name = "nothing"; try { if (fs.readFileSync("identity/node.key", "utf8")) name = "the-key"; } catch {} export default { name, actions: { run() {} } };`;
    const file = await workshop.write("plugin.mjs", look);
    await workshop.share();
    for (const path of [workshop.root, dataDir, join(dataDir, "identity"), join(dataDir, "identity/node.key")])
      await chown(path, NOBODY, NOBODY);
    const run = (uid: number): unknown => {
      const args = ["--import", TSX, join(HERE, "hiding.mts"), dataDir, file];
      const env = { PATH: process.env["PATH"], HOME: "/" };
      const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: dataDir, env, uid, gid: uid, encoding: "utf8", timeout: 30_000 });
      expect(stdout, stderr).not.toBe("");
      return JSON.parse(stdout);
    };
    expect(run(NOBODY)).toEqual({ hidden: true, found: "nothing" });
    expect(run(0)).toEqual({ hidden: false, found: "the-key" });
  });
});

describe.skipIf(!SHARED)("a plugin that runs as another user (needs root, and this program where that user can read it)", () => {
  it("has that user's rights alone, and none of the node's: keys, process, home", async () => {
    await using workshop = await Workshop.open();
    const secrets = await dataFolder(workshop);
    await workshop.share();
    await chmod(join(secrets.dataDir, "store"), 0o700);
    const who = `async who() { return { uid: process.getuid(), gid: process.getgid(), groups: process.getgroups(), home: process.env.HOME ?? null }; },`;
    await using bench = await Bench.open(`${who} ${THIEF}`, { secrets, user: String(NOBODY) });
    const [mine = ""] = await bench.ask("who");
    expect(JSON.parse(mine)).toEqual({ uid: NOBODY, gid: NOBODY, groups: [NOBODY], home: null });
    const [json = ""] = await bench.ask("run", JSON.stringify({ data: secrets.dataDir, node: process.pid }));
    expect(json).not.toContain(SECRET);
    const got = JSON.parse(json) as Readonly<Record<string, unknown>>;
    for (const way of ["read", "store", "root", "environment", "memory", "descriptor"]) expect(got[way], way).toBe("EACCES");
    expect(bench.plugin.hidden).toBe(true);
  });

  it("is not run as one that there is not, nor as the node's own", async () => {
    for (const [user, why] of [
      ["no-such-user", /this system knows none/],
      ["root", /the node's own/],
    ] as const)
      await expect(Bench.open("async run() {}", { user })).rejects.toMatchObject({
        code: "PLUGIN_INVALID",
        message: expect.stringMatching(why) as unknown,
      });
  });
});

it("isInside tells a folder from another whose name begins with its own", () => {
  const all = [
    ["/a/b", "/a/b"],
    ["/a/b/c", "/a/b"],
    ["/a/bc", "/a/b"],
    ["/a", "/a/b"],
    ["/a", "/"],
  ] as const;
  expect(all.map(([path, folder]) => isInside(path, folder))).toEqual([true, true, false, false, true]);
});
