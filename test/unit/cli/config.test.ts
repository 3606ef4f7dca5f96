import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { cli, fakeNode, lines } from "./fakes.ts";

async function folder(text: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "receptor-cli-config-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  await writeFile(join(path, "receptor.config.yaml"), text);
  return path;
}

describe("receptor config check", () => {
  it("says that a file is right", async () => {
    const cwd = await folder("peers: [a:1]\n");
    expect(await cli(["config", "check"], { cwd })).toMatchObject({ exit: 0, stdout: `${cwd}/receptor.config.yaml: ok\n` });
    expect((await cli(["config", "check", "receptor.config.yaml"], { cwd })).stdout).toBe("receptor.config.yaml: ok\n");
    expect((await cli(["config", "check", "--json"], { cwd })).objects).toEqual([{ file: `${cwd}/receptor.config.yaml`, valid: true }]);
  });

  it("ends with 78 and tells each mistake with its line, also of addresses", async () => {
    const cwd = await folder("peer: [a:1]\npeers:\n  - zip://x\n");
    const ran = await cli(["config", "check"], { cwd });
    expect(ran.exit).toBe(78);
    expect(lines(ran.stderr)).toEqual([
      "receptor: CONFIG_INVALID:",
      '  receptor.config.yaml:1:1: unknown key "peer"; did you mean "peers"?',
      expect.stringContaining('  receptor.config.yaml:3:5: peers[0]: "zip://x" is no address of a node'),
    ]);
    const json = await cli(["config", "check", "--json"], { cwd });
    expect(json.objects).toEqual([
      {
        error: {
          code: "CONFIG_INVALID",
          message: expect.any(String),
          data: { problems: [expect.stringContaining(":1:1:"), expect.stringContaining(":3:5:")] },
        },
      },
    ]);
  });

  it("says that there is no file", async () => {
    expect(await cli(["config", "check", "none.yaml"])).toMatchObject({
      exit: 78,
      stderr: expect.stringContaining("there is no such file"),
    });
  });
});

describe("receptor config show", () => {
  it("prints each value and where it came from", async () => {
    const cwd = await folder("node:\n  id: edge-1\nwork: { retention: 90m }\n");
    const { stdout } = await cli(["config", "show"], { cwd, env: { RECEPTOR_LEAF: "1" } });
    const rows = lines(stdout).map((line) => line.split(/ {2,}/));
    expect(rows).toContainEqual(["node.id", "edge-1", "receptor.config.yaml:2"]);
    expect(rows).toContainEqual(["node.leaf", "true", "RECEPTOR_LEAF"]);
    expect(rows).toContainEqual(["work.retention", "1h30m", "receptor.config.yaml:3"]);
    expect(rows).toContainEqual(["work.queue", "1000", "default"]);
  });

  it("prints one object with --json", async () => {
    const cwd = await folder("node: { id: edge-1 }\n");
    const { objects } = await cli(["config", "show", "--json"], { cwd });
    expect(objects).toEqual([
      {
        file: `${cwd}/receptor.config.yaml`,
        values: expect.objectContaining({
          "node.id": { value: "edge-1", from: { source: "file", file: "receptor.config.yaml", line: 1, column: 9 } },
          "work.retention": { value: 3_600_000, from: { source: "default" } },
        }),
      },
    ]);
  });
});

describe("receptor config schema", () => {
  it("prints a JSON Schema", async () => {
    const schema: unknown = JSON.parse((await cli(["config", "schema"])).stdout);
    expect(schema).toMatchObject({
      $schema: expect.stringContaining("json-schema.org"),
      type: "object",
      properties: { node: {}, listen: {}, peers: {} },
    });
  });
});

describe("a configuration file", () => {
  it("says through whom other commands join, after --peer and RECEPTOR_PEER", async () => {
    const cwd = await folder("peers: ['tcp://from-file:1']\nwebsocket: { headers: { A: b } }\n");
    const node = fakeNode({ ping: async () => ({ rtt: 1, hops: 1, version: "1", work: { running: 0, queued: 0 } }) });
    expect((await cli(["ping", "w", "-c", "1"], { cwd, node })).connects).toMatchObject([
      { peers: ["tcp://from-file:1"], config: { websocket: { headers: { A: "b" } } } },
    ]);
    expect((await cli(["ping", "w", "-c", "1", "--peer", "a:1"], { cwd, node })).connects).toMatchObject([
      { peers: ["a:1"], config: { websocket: { headers: { A: "b" } } } },
    ]);
  });

  it("that is wrong stops other commands too", async () => {
    const cwd = await folder("peer: [a:1]\n");
    expect(await cli(["ping", "w"], { cwd })).toMatchObject({ exit: 78, connects: [] });
  });
});
