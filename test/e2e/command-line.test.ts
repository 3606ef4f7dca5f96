import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createNode } from "receptor-mesh";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMAND, pluginFolder, ProcessMesh, type Ran, until } from "../support/mesh.ts";

const ENDLESS = JSON.stringify({ count: 1_000_000, interval: 20 });
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A chain: commands join at "first"; "third" is behind "second", over a WebSocket. */
let mesh: ProcessMesh;
let url = "";
let http = "";

beforeAll(async () => {
  mesh = new ProcessMesh();
  const plugins = ["--plugin", pluginFolder("echo"), "--plugin", pluginFolder("shell")];
  const config = join(mesh.folder, "third.yaml");
  writeFileSync(config, 'plugins:\n  echo: {}\n  shell: { commands: { fail: { run: ["false"] } } }\n');
  const first = await mesh.start("first", ["--listen", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0"]);
  url = first.listening[0] ?? "";
  http = String(mesh.log("first").find(({ event }) => event === "http")?.["url"]);
  const second = await mesh.start("second", ["--listen", "ws://127.0.0.1:0", "--peer", url]);
  await mesh.start("third", ["--no-listen", "--peer", second.listening[0] ?? "", "--group", "web", "--config", config, ...plugins]);
  await until(
    async () => ((await mesh.status(url)).nodes.some(({ id, plugins: known }) => id === "third" && known.length === 2) ? true : undefined),
    15_000,
    "the chain is there",
  );
});

afterAll(async () => {
  await mesh.close();
});

function run(...args: readonly string[]): Promise<Ran> {
  return mesh.run([...args, "--peer", url]);
}

/** A line for the shell, where `$receptor` is the command, at the mesh. */
async function shell(
  line: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<{ readonly stdout: Buffer; readonly stderr: string; readonly code: number | null }> {
  const environment = { ...process.env, RECEPTOR_PEER: url, receptor: `${process.execPath} ${COMMAND}`, ...variables };
  const child = spawn("sh", ["-c", line], { cwd: mesh.folder, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const [code] = await once(child, "close");
  return { stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString(), code: code as number | null };
}

async function nothingParked(): Promise<void> {
  await until(async () => ((await mesh.status(url)).parked.messages === 0 ? true : undefined), 10_000, "nothing is parked");
}

describe("receptor ping", () => {
  test("--json prints one object for each of -c", async () => {
    const ran = await run("ping", "third", "-c", "2", "-i", "0.05", "--json");
    expect(ran.code).toBe(0);
    expect(ran.objects).toEqual([1, 2].map(() => ({ node: "third", rtt: expect.any(Number) as unknown, hops: 3, version: "0.1.0" })));
  });

  test("prints a line for each and statistics at the end; with --quiet only these", async () => {
    const ran = await run("ping", "third", "-c", "2", "-i", "0.05");
    expect(ran.stdout).toMatch(
      /^(reply from third: [\d.]+ ms, 3 hops, version 0\.1\.0\n){2}third: 2 sent, 2 received, 0% lost, min\/avg\/max [\d./]+ ms\n$/,
    );
    const quiet = await run("ping", "third", "-c", "1", "--quiet");
    expect(quiet.stdout).toMatch(/^third: 1 sent, 1 received, 0% lost.*\n$/);
  });
});

test("receptor trace prints each hop in order, with its time", async () => {
  const ran = await run("trace", "third", "--json");
  expect(ran.objects).toEqual(["first", "second", "third"].map((node) => ({ node, rtt: expect.any(Number) as unknown })));
  const plain = await run("trace", "third");
  expect(plain.stdout).toMatch(/^ 1 {2}first {2}[\d.]+ ms\n 2 {2}second {2}[\d.]+ ms\n 3 {2}third {2}[\d.]+ ms\n$/);
});

test("receptor status --json has the shape of the library's status", async () => {
  const status = await mesh.status(url);
  const keys = (value: unknown): string[] => Object.keys(value ?? {});
  expect(keys(status)).toEqual([
    "node",
    "version",
    "uptime",
    "listening",
    "plugins",
    "nodes",
    "links",
    "edges",
    "parked",
    "work",
    "warnings",
  ]);
  expect(status).toMatchObject({
    node: "first",
    version: "0.1.0",
    listening: [url],
    parked: { messages: 0, bytes: 0, destinations: [] },
    work: [],
    warnings: [],
  });
  expect(status.nodes.map(({ id }) => id).toSorted()).toEqual(["second", "third"]);
  const third = status.nodes.find(({ id }) => id === "third");
  expect(keys(third)).toEqual(["id", "reachable", "via", "cost", "hops", "groups", "ephemeral", "plugins", "work"]);
  expect(third).toMatchObject({
    reachable: true,
    via: "second",
    cost: 2,
    hops: 2,
    groups: ["web"],
    ephemeral: false,
    work: { running: 0, queued: 0 },
  });
  expect(third?.plugins.find(({ name }) => name === "shell")).toEqual({ name: "shell", version: "0.1.0", actions: ["run"] });
  expect(keys(status.links[0])).toEqual(["peer", "url", "direction", "cost", "rtt", "since", "secure"]);
  expect(status.links).toMatchObject([{ peer: "second", direction: "in", cost: 1, secure: false }]);
  expect(status.edges.map(({ between, cost }) => [between.toSorted(), cost])).toEqual([
    [["first", "second"], 1],
    [["second", "third"], 1],
  ]);
  const plain = await run("status");
  expect(plain.stdout).toContain(url);
  expect(plain.stdout).toMatch(/third +via second +2 +2 +web/);
});

describe("receptor send", () => {
  test("takes its payload from an argument, stdin or a file", async () => {
    expect((await run("send", "third", "echo:run", "hello")).stdout).toBe("hello\n");
    expect((await mesh.run(["send", "third", "echo:run", "-", "--peer", url], { input: "from stdin" })).stdout).toBe("from stdin\n");
    const big = randomBytes(5_000_000);
    writeFileSync(join(mesh.folder, "big.bin"), big);
    const sunk = await run("send", "third", "echo:sink", "@big.bin", "--json");
    const answer = sunk.objects.find(({ type }) => type === "response");
    expect(JSON.parse(String(answer?.["text"]))).toEqual({ bytes: big.length, sha256: createHash("sha256").update(big).digest("hex") });
  });

  test("--raw writes the bytes of the responses and nothing else", async () => {
    const bytes = randomBytes(300_000);
    writeFileSync(join(mesh.folder, "raw.bin"), bytes);
    const ran = await shell("$receptor send third echo:run @raw.bin --raw");
    expect(ran.stdout.equals(bytes)).toBe(true);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
  });

  test("--json prints responses that are not UTF-8 in base64", async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x41]);
    const ran = await mesh.run(["send", "third", "echo:run", "-", "--json", "--peer", url], { input: bytes });
    expect(ran.objects.map(({ type, base64 }) => [type, base64])).toEqual([
      ["accepted", undefined],
      ["response", bytes.toString("base64")],
      ["end", undefined],
    ]);
  });

  test("prints responses as they come", async () => {
    const sent = mesh.follow(["send", "third", "echo:count", JSON.stringify({ count: 3, interval: 400 }), "--peer", url]);
    const times: number[] = [];
    const seen: unknown[] = [];
    for await (const { type, serial, text } of sent.objects) {
      seen.push([type, serial, text]);
      if (type === "response") times.push(performance.now());
    }
    expect(seen).toEqual([
      ["accepted", undefined, undefined],
      ["response", 1, "1"],
      ["response", 2, "2"],
      ["response", 3, "3"],
      ["end", undefined, undefined],
    ]);
    expect((times[2] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(500);
  });

  test("--detach prints an id and returns; a program gets the outcome by it", async () => {
    const ran = await run("send", "third", "echo:count", JSON.stringify({ count: 3, interval: 300 }), "--detach");
    expect(ran.code, ran.stderr).toBe(0);
    const id = ran.stdout.trim();
    expect(id).toMatch(ID);
    await using node = await createNode({ id: "program", listen: [], peers: [url], log: { level: "silent" } });
    await node.reachable("third");
    const work = await node.attach(id, { node: "first" });
    const texts: string[] = [];
    for await (const response of work) texts.push(response.text());
    expect(texts).toEqual(["1", "2", "3"]);
    expect(await work.result()).toMatchObject({ state: "succeeded", responses: 3 });
  });

  test("ends with 4 at --timeout, and the work is cancelled", async () => {
    const ran = await run("send", "third", "echo:count", ENDLESS, "--timeout", "1", "--json");
    expect(ran.code).toBe(4);
    expect(ran.objects.at(-1)).toMatchObject({ type: "end", state: "cancelled", error: { code: "TIMEOUT" } });
    await until(
      async () => ((await mesh.status(url)).nodes.find(({ id }) => id === "third")?.work.running === 0 ? true : undefined),
      15_000,
      "nothing runs",
    );
  });

  test("ends with 3 where the work failed", async () => {
    const ran = await run("send", "third", "shell:run", "fail", "--json");
    expect(ran.code, ran.stdout).toBe(3);
    expect(ran.objects.at(-1)).toMatchObject({
      type: "end",
      node: "third",
      state: "failed",
      error: { code: "WORK_FAILED", message: expect.stringContaining("exit status 1") as unknown },
    });
    const plain = await run("send", "third", "shell:run", "fail");
    expect(plain).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringMatching(/^receptor: WORK_FAILED: .*exit status 1/) as unknown,
    });
  });

  test("ends quietly where its reader goes away, and leaves nothing running", async () => {
    const ran = await shell(`{ $receptor send third echo:count '${ENDLESS}'; echo $? > left; } | head -n 1`);
    expect(ran.stdout.toString()).toBe("1\n");
    expect(ran.stderr).toBe("");
    expect(readFileSync(join(mesh.folder, "left"), "utf8")).toBe("0\n");
    await until(
      async () => ((await mesh.status(url)).nodes.find(({ id }) => id === "third")?.work.running === 0 ? true : undefined),
      15_000,
      "nothing runs",
    );
  });

  test.skipIf(!existsSync("/dev/full"))("says so where the disk of its output is full, and leaves nothing running", async () => {
    const lost = "receptor: OUTPUT_UNWRITABLE: the output cannot be written: ";
    for (const [words, why] of [
      [`send third echo:count '${ENDLESS}'`, "there is no room left\n"],
      ["send third echo:run hello --json", "there is no room left\n"],
      ["status", "there is no room left\n"],
      ["--version", "ENOSPC: no space left on device, write\n"],
    ]) {
      const ran = await shell(`$receptor ${words} > /dev/full; echo $?`);
      expect([words, ran.stdout.toString(), ran.stderr]).toEqual([words, "1\n", `${lost}${why}`]);
    }
    await until(
      async () => ((await mesh.status(url)).nodes.find(({ id }) => id === "third")?.work.running === 0 ? true : undefined),
      15_000,
      "nothing runs",
    );
  });

  test("is interrupted by SIGINT with 130, and its work is cancelled", async () => {
    const sent = mesh.follow(["send", "third", "echo:count", ENDLESS, "--peer", url]);
    let last: Record<string, unknown> = {};
    for await (const event of sent.objects) {
      if (event["serial"] === 1) sent.child.kill("SIGINT");
      last = event;
    }
    expect(last).toMatchObject({ type: "end", state: "cancelled", error: { code: "CANCELLED" } });
    expect(await sent.ended).toBe(130);
  });

  test("tells people where a message waits, unless --quiet", async () => {
    const told = await run("send", "ghost", "echo:run", "x", "--ttl", "0.7");
    expect(told).toMatchObject({ code: 4, stdout: "" });
    expect(told.stderr).toMatch(/^parked at first, .* left\nreceptor: EXPIRED: /);
    const quiet = await run("send", "ghost", "echo:run", "x", "--ttl", "0.7", "--quiet");
    expect(quiet.stderr).toMatch(/^receptor: EXPIRED: [^\n]*\n$/);
    await nothingParked();
  });
});

test("NO_COLOR and what is no terminal are respected", async () => {
  for (const variables of [{}, { NO_COLOR: "" }, { NO_COLOR: "1" }]) {
    const ran = await shell("$receptor status; $receptor nod", variables);
    expect(ran.stdout.toString() + ran.stderr).not.toContain("\u001b");
  }
  const terminal = (variables: Readonly<Record<string, string>>) =>
    shell(`command -v script > /dev/null || exit 77; script -qec "$receptor status" /dev/null`, { TERM: "xterm", ...variables });
  const coloured = await terminal({ NO_COLOR: "" });
  if (coloured.code === 77) return;
  expect(coloured.stdout.toString()).toContain("\u001b[");
  expect((await terminal({ NO_COLOR: "1" })).stdout.toString()).not.toContain("\u001b[");
});

describe("receptor queue", () => {
  test("lists what waits, tries it again, and purges it", async () => {
    const ids: string[] = [];
    for (const to of ["ghost-1", "ghost-2"]) {
      const sent = await run("send", to, "echo:run", "hello", "--ttl", "100", "--detach", "--json");
      expect(sent.objects).toEqual([{ type: "parked", id: expect.stringMatching(ID) as unknown, node: expect.any(String) as unknown }]);
      ids.push(String(sent.objects[0]?.["id"]));
    }
    const list = await run("queue", "list", "--json");
    expect(list.objects).toEqual(
      ids.map((id, index) => ({
        id,
        from: "first",
        to: `ghost-${index + 1}`,
        bytes: expect.any(Number) as unknown,
        ttl: expect.any(Number) as unknown,
        why: expect.any(String) as unknown,
      })),
    );
    for (const { ttl } of list.objects) expect(ttl).toBeLessThanOrEqual(100_000);
    const plain = await run("queue", "list", "--to", "ghost-1");
    expect(plain.stdout).toMatch(/^ID +FROM +TO +SIZE +LEFT +WHY\n\S+ +first +ghost-1 +\S+ B +1m\d*s? .*\n$/);
    expect((await mesh.status(url)).parked).toMatchObject({
      messages: 2,
      destinations: [
        { node: "ghost-1", messages: 1 },
        { node: "ghost-2", messages: 1 },
      ],
    });

    expect((await run("queue", "retry", "--json")).objects).toEqual([{ retried: 2 }]);
    expect((await run("queue", "purge", ids[0] ?? "", "--json")).objects).toEqual([{ purged: 1 }]);
    expect((await run("queue", "purge", "--to", "ghost-2")).stdout).toBe("purged 1 message\n");
    expect((await run("queue", "list", "--json")).objects).toEqual([]);
    await nothingParked();
  });

  test("purge tells the sender", async () => {
    const sent = mesh.follow(["send", "ghost", "echo:run", "x", "--ttl", "100", "--peer", url]);
    const seen: Record<string, unknown>[] = [];
    for await (const event of sent.objects) {
      seen.push(event);
      if (event["type"] === "parked") await run("queue", "purge", "--all");
    }
    expect(seen).toMatchObject([{ type: "parked", node: "first" }, { type: "end" }]);
    expect(seen.at(-1)).toMatchObject({
      state: "cancelled",
      error: { code: "CANCELLED", message: expect.stringContaining("purge") as unknown },
    });
    expect(await sent.ended).toBe(3);
  });
});

test("--http serves health, readiness, metrics and status", async () => {
  const get = async (path: string): Promise<{ status: number; text: string }> => {
    const answer = await fetch(new URL(path, http));
    return { status: answer.status, text: await answer.text() };
  };
  expect(await get("/healthz")).toMatchObject({ status: 200, text: '{"alive":true}\n' });
  expect(await get("/readyz")).toMatchObject({ status: 200, text: '{"ready":true,"reasons":[]}\n' });
  expect((await get("/metrics")).text).toMatch(/^receptor_\w+(\{[^}]*\})? [\d.e+]+$/m);
  expect(JSON.parse((await get("/status")).text)).toMatchObject({ node: "first", listening: [url] });
  expect((await get("/elsewhere")).status).toBe(404);
});
