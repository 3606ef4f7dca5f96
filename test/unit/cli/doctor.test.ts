import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { clock, nodeVersion } from "../../../src/cli/doctor-checks.ts";
import { cli, fakeNode, lines, type Setup } from "./fakes.ts";

interface Report {
  readonly ok: boolean;
  readonly checks: readonly { readonly level: string; readonly check: string; readonly detail: string; readonly mend?: string }[];
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "receptor-doctor-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function doctor(argv: readonly string[], setup: Setup = {}): Promise<{ exit: number; of(check: string): Report["checks"] }> {
  const { exit, objects } = await cli(["doctor", "--json", ...argv], setup);
  const report = objects[0] as Report;
  expect(report.ok).toBe(exit === 0);
  return { exit, of: (check) => report.checks.filter((one) => one.check === check) };
}

describe("receptor doctor", () => {
  it("finds nothing wrong where all is well", async () => {
    const cwd = await folder();
    const { exit, of } = await doctor(["--data-dir", cwd], { cwd });
    expect(exit).toBe(0);
    expect(of("node")[0]?.level).toBe("ok");
    expect(of("configuration")).toMatchObject([{ level: "ok", detail: "no file; the defaults hold" }]);
    expect(of("listen")).toMatchObject([{ level: "ok", detail: "tcp://127.0.0.1:8888 is free" }]);
    expect(of("peers")).toMatchObject([{ level: "ok" }]);
  });

  it("prints a line for each finding, and how to mend it", async () => {
    const cwd = await folder();
    const { stdout, exit } = await cli(["doctor", "-d", cwd, "--peer", "a:1"], { cwd });
    expect(exit).toBe(1);
    const found = lines(stdout);
    const at = found.findIndex((line) => line.startsWith("fail  peer: no peer answers"));
    expect(at).toBeGreaterThan(0);
    expect(found[at + 1]).toMatch(/^ {6}start the node there/);
    expect(lines((await cli(["doctor", "-q", "-d", cwd], { cwd })).stdout).filter((line) => line.startsWith("ok"))).toEqual([]);
  });

  it("fails with each mistake of the configuration", async () => {
    const cwd = await folder();
    await writeFile(join(cwd, "receptor.config.yaml"), "lisen: []\npers: []\n");
    const { exit, of } = await doctor(["-d", cwd], { cwd });
    expect(exit).toBe(1);
    expect(of("configuration")).toMatchObject([
      { level: "fail", detail: expect.stringContaining(":1:1:") },
      { level: "fail", detail: expect.stringContaining(":2:1:") },
    ]);
  });

  it("warns of misspelt variables", async () => {
    expect((await doctor([], { env: { RECEPTOR_NODEID: "a" } })).of("environment")).toMatchObject([
      { level: "warn", detail: 'RECEPTOR_NODEID: no such variable; did you mean "RECEPTOR_NODE_ID"?' },
    ]);
  });

  it("tells whether a peer answers, and who it is", async () => {
    const node = fakeNode();
    expect((await doctor(["--peer", "a:1"], { node })).of("peer")).toMatchObject([{ level: "ok", detail: "a:1 answers: hub" }]);
    expect(node.closed()).toBe(1);
  });

  it("tells a port that another program holds from one of its own node", async () => {
    const cwd = await folder();
    const services = { probeListen: async () => "listen EADDRINUSE: address already in use" };
    expect((await doctor(["-d", cwd], { services })).of("listen")).toMatchObject([
      { level: "warn", mend: expect.stringContaining("8888") },
    ]);
    const held = { ...services, describeHolder: async () => ({ pid: process.pid, node: "hub" }) };
    expect((await doctor([], { services: held })).of("listen")).toMatchObject([{ level: "ok" }]);
  });

  it("warns of a data folder that others can write, and of a missing npm", async () => {
    const cwd = await folder();
    const open = join(cwd, "open");
    await mkdir(open);
    await chmod(open, 0o777);
    const npmVersion = async (): Promise<string> => Promise.reject(new Error("ENOENT"));
    const { exit, of } = await doctor(["-d", open], { services: { npmVersion } });
    expect(exit).toBe(0);
    expect(of("data folder")).toContainEqual({
      level: "warn",
      check: "data folder",
      detail: `${open} can be written by others`,
      mend: `chmod go-w ${open}`,
    });
    expect(of("npm")).toMatchObject([{ level: "warn" }]);
  });
});

describe("nodeVersion and clock", () => {
  it("know what is too old", () => {
    expect(nodeVersion("20.18.3")[0]?.level).toBe("fail");
    expect(nodeVersion("20.19.0")[0]?.level).toBe("ok");
    expect(nodeVersion("24.1.0")[0]?.level).toBe("ok");
    expect(clock(new Date("1970-01-02"))[0]?.level).toBe("warn");
    expect(clock(new Date("2026-01-02"))[0]?.level).toBe("ok");
  });
});
