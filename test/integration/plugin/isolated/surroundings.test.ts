import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { Bench, isAlive } from "./harness.ts";

/** What the descriptors of a process stand for. */
function descriptorsOf(process: string): string[] {
  return readdirSync(`/proc/${process}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${process}/fd/${fd}`)];
    } catch {
      // The one that the listing itself took.
      return [];
    }
  });
}

describe("a plugin's process", () => {
  const set: string[] = [];
  const give = (name: string, value: string): void => {
    process.env[name] = value;
    set.push(name);
  };
  afterEach(() => {
    for (const name of set.splice(0)) delete process.env[name];
  });

  it("gets of the environment what is on the list, and what the configuration names", async () => {
    give("RECEPTOR_TOKEN", "secret");
    give("RECEPTOR_DATA_DIR", "/data");
    give("NODE_OPTIONS", "--no-warnings");
    give("WANTED", "yes");
    await using bench = await Bench.open(`async run() { return process.env; }`, { environment: ["WANTED", "NOT_SET"] });
    const [json = ""] = await bench.ask("run");
    const own = Object.fromEntries(
      ["PATH", "HOME", "LANG", "TZ", "TMPDIR"].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    );
    expect(JSON.parse(json)).toEqual({ ...own, WANTED: "yes" });
  });

  it.skipIf(process.platform !== "linux")(
    "has none of the node's descriptors, and what it starts has not its channel (needs /proc)",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "receptor-test-fd-"));
      const file = openSync(join(folder, "secret"), "w");
      try {
        await using bench = await Bench.open(
          `async run() { return fs.readdirSync("/proc/self/fd").flatMap((fd) => { try { return [[fd, fs.readlinkSync("/proc/self/fd/" + fd)]]; } catch { return []; } }); },
         async command() { return spawnSync("ls", ["-l", "/proc/self/fd"]).stdout.toString(); }`,
        );
        const [json = "[]"] = await bench.ask("run");
        const held: [string, string][] = JSON.parse(json);
        const own = new Set(descriptorsOf("self").filter((target) => !target.startsWith("anon_inode:") && target !== "/dev/null"));
        expect(own).toContain(join(folder, "secret"));
        expect(held.filter(([, target]) => own.has(target))).toEqual([]);
        const kinds = held.map(([fd, target]) => [Number(fd), target.replace(/:.*/, "")] as const).sort(([a], [b]) => a - b);
        expect(kinds.slice(0, 4)).toEqual([
          [0, "/dev/null"],
          [1, "socket"],
          [2, "socket"],
          [3, "socket"],
        ]);
        expect(kinds.slice(4).filter(([, kind]) => kind === "socket")).toEqual([]);
        const [listing = ""] = await bench.ask("command");
        expect(listing).not.toContain(held.find(([fd]) => fd === "3")?.[1] ?? "?");
      } finally {
        closeSync(file);
        rmSync(folder, { recursive: true });
      }
    },
  );

  it.skipIf(process.platform !== "linux")("has none of what the node was handed by who started it (needs /proc)", () => {
    const program = fileURLToPath(new URL("./descriptors.mts", import.meta.url));
    const script = 'exec 99</etc/hostname; exec "$0" --import tsx "$1"';
    const { stdout, stderr } = spawnSync("bash", ["-c", script, process.execPath, program], { encoding: "utf8", timeout: 30_000 });
    expect(stdout, stderr).not.toBe("");
    const { node, plugin }: { node: string[]; plugin: string[] } = JSON.parse(stdout);
    expect(node).toContain("/etc/hostname");
    expect(plugin).not.toContain("/etc/hostname");
  });

  it("writes to the node's log: lines of its output, and what the plugin logs, cut and in bounds", async () => {
    await using bench = await Bench.open(
      `async run(input, { log }) { console.log("out\\nput"); console.error("x".repeat(100_000)); log.warn({ a: { b: { c: { d: { e: 1 } } } }, level: 99, event: "ready", long: "y".repeat(9_000) }, "logged"); log.info({ huge: new Array(50_000).fill("z") }, "too much"); await sleep(100); },
       async flood(input, { log }) { for (let i = 0; i < 5_000; i++) log.info({ i }, "again"); await sleep(1_200); log.info({}, "last"); }`,
    );
    await bench.ask("run");
    const { logged } = bench;
    expect(logged).toContainEqual({ level: "info", fields: { stdout: "out" }, message: "a plugin wrote" });
    expect(logged).toContainEqual({ level: "info", fields: { stdout: "put" }, message: "a plugin wrote" });
    expect(logged).toContainEqual({ level: "warn", fields: { stderr: "x".repeat(2_000) }, message: "a plugin wrote" });
    expect(logged).toContainEqual({
      level: "warn",
      fields: { work: expect.anything(), a: { b: { c: { d: "..." } } }, long: "y".repeat(2_000) },
      message: "logged",
    });
    expect(logged).toContainEqual({ level: "info", fields: { work: expect.anything() }, message: "too much" });
    logged.splice(0);
    await bench.ask("flood");
    await expect.poll(() => logged.at(-1)?.message).toBe("last");
    expect(logged.length).toBeLessThan(1_500);
    expect(logged.find(({ message }) => message.startsWith("a plugin logs too much"))?.fields).toMatchObject({ lines: expect.any(Number) });
  });

  describe("whose node is killed", () => {
    const started: ChildProcess[] = [];
    afterEach(() => {
      for (const child of started.splice(0)) child.kill("SIGKILL");
    });

    it.each(["rest", "loop"])("ends by itself, at %s, with what it started", async (action) => {
      const program = fileURLToPath(new URL("./orphan.mts", import.meta.url));
      const node = spawn(process.execPath, ["--import", "tsx", program, action], { stdio: ["ignore", "pipe", "inherit"] });
      started.push(node);
      const [line] = (await once(node.stdout, "data")) as [Buffer];
      const pids: number[] = JSON.parse(line.toString());
      expect(pids.map(isAlive)).toEqual([true, true]);
      node.kill("SIGKILL");
      await expect.poll(() => pids.some(isAlive), { timeout: 15_000, interval: 100 }).toBe(false);
    });
  });
});
