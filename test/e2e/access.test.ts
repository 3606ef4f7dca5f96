import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, pluginFolder, ProcessMesh, type Ran, until } from "../support/mesh.ts";

let mesh: ProcessMesh;
let port = 0;
let file = "";

beforeAll(async () => {
  mesh = new ProcessMesh();
  port = await freePort();
  const made = await mesh.run(["mesh", "init", "--id", "a", "--data-dir", mesh.dataDir("a"), "--json"]);
  const token = String(made.objects[0]?.["token"]);
  await mesh.start("a", ["--listen", `tls://127.0.0.1:${port}`]);
  file = join(mesh.folder, "b.yaml");
  configure("allow: [{ from: a, directive: 'echo:*' }]");
  const peer = ["--no-listen", "--peer", `127.0.0.1:${port}`, "--token", token];
  await mesh.start("b", [...peer, "--config", file, "--plugin", pluginFolder("echo")]);
  await mesh.start("c", peer);
  await until(async () => ((await as("c", "ping", "b", "-c", "1")).code === 0 ? true : undefined), 10_000, "b answers");
});

afterAll(async () => {
  await mesh.close();
});

function configure(rules: string): void {
  writeFileSync(file, `${rules}\n`);
}

/** A command with the certificate of a member. */
const as = (id: string, ...args: readonly string[]): Promise<Ran> =>
  mesh.run([...args, "--data-dir", mesh.dataDir(id), "--peer", `127.0.0.1:${port}`, "--json"]);

const verdict = (...args: readonly string[]): Promise<Ran> =>
  mesh.run(["acl", "test", ...args, "--config", file, "--data-dir", mesh.dataDir("b")]);

describe("a node of a secure mesh", () => {
  test("runs what a rule allows, and answers everybody's pings and questions", async () => {
    const ran = await as("a", "send", "b", "echo:run", "hello");
    expect(ran.stdout, ran.stderr).toContain("hello");
    expect((await as("c", "ping", "b", "-c", "1")).code).toBe(0);
    expect((await as("c", "status")).code).toBe(0);
  });

  test("denies what no rule allows, with the reason and exit status 5", async () => {
    const ran = await as("c", "send", "b", "echo:run", "hello");
    expect(ran.code).toBe(5);
    expect(ran.objects.at(-1), ran.stderr).toMatchObject({
      error: { code: "DENIED", message: "no rule of b allows c to send it echo:run" },
    });
    // Nor in the name of a, which may.
    expect((await as("c", "queue", "retry", "--all")).code).toBe(5);
  });

  test("goes by its new rules after SIGHUP", async () => {
    configure("allow: [{ from: [a, c] }]\ndeny: [{ from: a, directive: 'echo:*' }]");
    process.kill(mesh.pid("b"), "SIGHUP");
    await until(async () => ((await as("c", "send", "b", "echo:run", "hello")).code === 0 ? true : undefined), 10_000, "c may");
    expect((await as("a", "send", "b", "echo:run", "hello")).code).toBe(5);
  });
});

describe("acl test", () => {
  test("says what the node would say, and which rule", async () => {
    configure("allow: [{ from: a, directive: 'echo:*' }, { groups: ops }]\ndeny: [{ directive: 'shell:*' }]");
    expect(await verdict("a", "echo:run")).toMatchObject({ code: 0, stdout: "allowed: allow[0] of b allows it\n" });
    expect(await verdict("c", "echo:run")).toMatchObject({ code: 5, stdout: "denied: no rule of b allows c to send it echo:run\n" });
    expect(await verdict("c", "echo:run", "--group", "ops")).toMatchObject({ code: 0, stdout: "allowed: allow[1] of b allows it\n" });
    expect(await verdict("a", "shell:run")).toMatchObject({ code: 5, stdout: "denied: deny[0] of b denies it\n" });
  });

  test("says at once what is wrong with its words or with the rules", async () => {
    expect((await verdict("a", "echo")).code).toBe(2);
    expect((await verdict("a b", "echo:run")).code).toBe(2);
    configure("allow: [{ form: a }]");
    const ran = await verdict("a", "echo:run");
    expect(ran.code).toBe(78);
    expect(ran.stderr).toContain("form");
  });
});
