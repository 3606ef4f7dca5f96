import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestAuthority } from "../support/certificates.ts";
import { pluginFolder, ProcessMesh, until, within } from "../support/mesh.ts";

const LISTEN = ["--listen", "tcp://127.0.0.1:0"];
let mesh: ProcessMesh;

beforeAll(() => {
  mesh = new ProcessMesh();
});

afterAll(async () => {
  await mesh.close();
});

async function worker(id: string, ...args: readonly string[]): Promise<string> {
  return (await mesh.start(id, [...LISTEN, "--plugin", pluginFolder("echo"), ...args])).listening[0] ?? "";
}

describe("a node that is told to stop", () => {
  test("lets running work end, takes no more, and ends with 0", async () => {
    const url = await worker("draining");
    const sent = mesh.follow(["send", "draining", "echo:count", JSON.stringify({ count: 4, interval: 400 }), "--peer", url]);
    const seen: unknown[] = [];
    let ended: Promise<number | null> | undefined;
    let refused: Promise<{ code: number | null; stdout: string }> | undefined;
    for await (const { type, serial, state } of sent.objects) {
      seen.push(serial ?? state ?? type);
      if (serial !== 1) continue;
      ended = mesh.signal("draining", "SIGTERM");
      refused = until(() => (mesh.log("draining").some(({ event }) => event === "stopping") ? true : undefined), 5_000, "it stops").then(
        () => mesh.run(["send", "draining", "echo:run", "too late", "--ttl", "0", "--json", "--peer", url]),
      );
    }
    expect(seen).toEqual(["accepted", 1, 2, 3, 4, "succeeded"]);
    expect(await sent.ended).toBe(0);
    expect(await ended).toBe(0);
    const late = await refused;
    expect(late?.code).not.toBe(0);
    expect(late?.stdout).toMatch(/CLOSED|UNREACHABLE_MESH|NO_ROUTE|UNKNOWN_NODE/);
  });

  test("ends at once at the second signal", async () => {
    const url = await worker("hurried", "--drain", "60");
    const sent = mesh.follow(["send", "hurried", "echo:count", JSON.stringify({ count: 100_000, interval: 20 }), "--peer", url]);
    for await (const { serial } of sent.objects) if (serial === 1) break;
    mesh.nudge("hurried", "SIGTERM");
    await until(() => (mesh.log("hurried").some(({ event }) => event === "stopping") ? true : undefined), 5_000, "it drains");
    const started = performance.now();
    expect(await mesh.signal("hurried", "SIGTERM")).toBe(143);
    expect(performance.now() - started).toBeLessThan(1_000);
    sent.child.kill("SIGKILL");
    await sent.ended;
  });

  test("ends work that takes longer than --drain, and its sender hears of it", async () => {
    const url = await worker("impatient", "--drain", "0.2");
    const sent = mesh.follow(["send", "impatient", "echo:count", JSON.stringify({ count: 100_000, interval: 20 }), "--peer", url]);
    let last: Record<string, unknown> = {};
    let ended: Promise<number | null> | undefined;
    for await (const event of sent.objects) {
      last = event;
      if (event["serial"] === 1) ended = mesh.signal("impatient", "SIGINT");
    }
    expect(last).toMatchObject({ type: "end", node: "impatient", error: { code: expect.any(String) as unknown } });
    expect(last["state"]).not.toBe("succeeded");
    expect(await ended).toBe(0);
    expect(await sent.ended).not.toBe(0);
  });
});

test("SIGHUP reloads the configuration; with a mistake in it the old one holds", async () => {
  const config = join(mesh.folder, "reload.yaml");
  const write = (commands: string): void => writeFileSync(config, `plugins:\n  shell: { commands: { ${commands} } }\n`);
  write("one: { run: [echo, uno] }");
  const { listening } = await mesh.start("reloading", [...LISTEN, "--plugin", pluginFolder("shell"), "--config", config]);
  const peer = ["--peer", listening[0] ?? ""];
  const said = async (event: string): Promise<void> => {
    await until(() => (mesh.log("reloading").some((line) => line["event"] === event) ? true : undefined), 10_000, event);
  };
  expect((await mesh.run(["send", "reloading", "shell:run", "one", ...peer])).stdout).toBe("uno\n");
  expect((await mesh.run(["send", "reloading", "shell:run", "two", ...peer])).code).not.toBe(0);
  write("one: { run: [echo, uno] }, two: { run: [echo, due] }");
  mesh.nudge("reloading", "SIGHUP");
  await said("reloaded");
  expect((await mesh.run(["send", "reloading", "shell:run", "two", ...peer])).stdout).toBe("due\n");
  writeFileSync(config, "plugin: {}\n");
  mesh.nudge("reloading", "SIGHUP");
  await said("reload-failed");
  expect((await mesh.run(["send", "reloading", "shell:run", "two", ...peer])).stdout).toBe("due\n");
});

describe("a node without a name", () => {
  test("makes one at its first start and keeps it", async () => {
    const made = await mesh.start("unnamed", ["--no-listen"], { unnamed: true });
    expect(
      made.node.startsWith(
        hostname()
          .split(".")[0]
          ?.replaceAll(/[^A-Za-z0-9_-]/g, "-") ?? "?",
      ),
    ).toBe(true);
    expect(made.node).toMatch(/-[0-9a-f]{6}$/);
    await mesh.kill("unnamed");
    expect((await mesh.start("unnamed", ["--no-listen"], { unnamed: true })).node).toBe(made.node);
    await mesh.kill("unnamed");
    rmSync(mesh.dataDir("unnamed"), { recursive: true });
    expect((await mesh.start("unnamed", ["--no-listen"], { unnamed: true })).node).not.toBe(made.node);
    expect(readFileSync(join(mesh.dataDir("unnamed"), "node-id"), "utf8").trim()).toBe(
      mesh.log("unnamed").find(({ event }) => event === "ready")?.["node"],
    );
  });
});

describe("tls://", () => {
  let authority: TestAuthority;
  let url = "";

  beforeAll(async () => {
    authority = await TestAuthority.create();
    for (const name of ["alpha", "beta", "command"]) await credentials(name);
    url = (await mesh.start("alpha", ["--listen", "127.0.0.1:0", "--config", join(mesh.folder, "alpha.yaml")])).listening[0] ?? "";
    await mesh.start("beta", ["--no-listen", "--peer", url, "--config", join(mesh.folder, "beta.yaml")]);
  });

  async function credentials(name: string, from = authority, trusted = authority.ca): Promise<void> {
    const folder = join(mesh.folder, `tls-${name}`);
    const { cert, key } = await from.issue(name, { days: 15 });
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of [
      ["cert", cert],
      ["key", key],
      ["ca", trusted],
    ] as const)
      writeFileSync(join(folder, `${file}.pem`), text, { mode: 0o600 });
    const paths = ["cert", "key", "ca"].map((file) => `${file}: tls-${name}/${file}.pem`).join(", ");
    writeFileSync(join(mesh.folder, `${name}.yaml`), `tls: { ${paths}, identity: "cn:{node}" }\n`);
  }

  const secured = (...args: readonly string[]) => mesh.run([...args, "--config", join(mesh.folder, "command.yaml"), "--peer", url]);

  test("links nodes and commands that have certificates; a bare address means it", async () => {
    expect(url).toMatch(/^tls:\/\/127\.0\.0\.1:\d+$/);
    await until(async () => ((await secured("ping", "beta", "-c", "1")).code === 0 ? true : undefined), 10_000, "beta answers");
    const status = await secured("status", "--json");
    expect(status.objects[0]).toMatchObject({ links: [{ peer: "beta", secure: true }], warnings: [] });
  });

  test("refuses who has no certificate, or one of another authority, with 6 and why", async () => {
    const without = await mesh.run(["status", "--peer", url, "--json"]);
    expect(without.objects).toMatchObject([
      { error: { code: "UNREACHABLE_MESH", message: expect.stringMatching(/certificate/) as unknown } },
    ]);
    expect(without.code).toBe(6);
    const another = await TestAuthority.create("another authority");
    await credentials("stranger", another, `${authority.ca}\n${another.ca}`);
    const strange = ["status", "--peer", url, "--json", "--config", join(mesh.folder, "stranger.yaml")];
    const stranger = await mesh.run(strange);
    expect(stranger.objects).toMatchObject([{ error: { code: "UNREACHABLE_MESH" } }]);
    expect(stranger.code).toBe(6);
    // Who does not trust the authority of its own certificate is told so before it dials.
    await credentials("stranger", another);
    const confused = await mesh.run(strange);
    expect(confused.objects).toMatchObject([{ error: { code: "CERTIFICATE_INVALID" } }]);
    expect(confused.code).toBe(78);
    const plain = await mesh.run(["status", "--peer", url.replace("tls:", "tcp:"), "--json"], { timeout: 10_000 });
    expect(plain.code).toBe(6);
  });

  test("shows a new certificate after SIGHUP, and keeps its links", async () => {
    const shown = async (): Promise<string> => {
      const [cert, key] = ["cert", "key"].map((file) => readFileSync(join(mesh.folder, `tls-command/${file}.pem`)));
      const socket = connect({
        host: "127.0.0.1",
        port: Number(new URL(url).port),
        ca: authority.ca,
        ...(cert && { cert }),
        ...(key && { key }),
      });
      socket.on("error", () => undefined);
      await within(once(socket, "secureConnect"), 5_000, "the handshake");
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const before = await shown();
    await credentials("alpha");
    mesh.nudge("alpha", "SIGHUP");
    await until(async () => ((await shown()) === before ? undefined : true), 10_000, "the new certificate is shown");
    expect(mesh.log("alpha").filter(({ event, peer }) => event === "link-down" && peer === "beta")).toEqual([]);
    expect((await secured("ping", "beta", "-c", "1")).code).toBe(0);
  });
});
