import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type ConnectionOptions } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FRAME } from "../../src/wire/frame.ts";
import { encodeHello } from "../../src/wire/greeting.ts";
import { greetingOf, linkFrame, RawPeer } from "../integration/hostile/raw-peer.ts";
import { connectAs } from "../support/members.ts";
import { identityFiles } from "../../src/identity/paths.ts";
import { formatJoinToken, parseJoinToken } from "../../src/identity/join-token.ts";
import { freePort, ProcessMesh, type Ran, until, within } from "../support/mesh.ts";

let mesh: ProcessMesh;
let port = 0;
let token = "";
/** Each machine that is refused has a folder of its own, as several may ask at once. */
let refusals = 0;
const at = (): string => `127.0.0.1:${port}`;

beforeAll(async () => {
  mesh = new ProcessMesh();
  port = await freePort();
  const made = await mesh.run(["mesh", "init", "--id", "a", "--data-dir", mesh.dataDir("a"), "--json"]);
  expect(made.objects[0], made.stderr).toMatchObject({ node: "a", uses: 10 });
  token = String(made.objects[0]?.["token"]);
  await mesh.start("a", ["--listen", `tls://${at()}`]);
  for (const id of ["b", "c"]) await mesh.start(id, ["--listen", "127.0.0.1:0", "--peer", at(), "--token", token]);
});

afterAll(async () => {
  await mesh.close();
});

/** A command with the certificate of a member. */
const as = (id: string, ...args: readonly string[]): Promise<Ran> =>
  mesh.run([...args, "--data-dir", mesh.dataDir(id), "--peer", at(), "--json"]);

/** What a fourth machine hears that wants in; it is no member afterwards. */
async function refused(args: readonly string[], id = "d"): Promise<{ code: number | null; error: Record<string, unknown> }> {
  const folder = join(mesh.folder, `fourth-${++refusals}`);
  const ran = await mesh.run(["node", "--id", id, "--data-dir", folder, "--no-listen", "--peer", at(), ...args, "--json"], {
    timeout: 20_000,
  });
  expect(existsSync(join(folder, "identity", "node.crt"))).toBe(false);
  const error = ran.objects.map((line) => line["error"]).find((value) => typeof value === "object");
  return { code: ran.code, error: { ...error } };
}

async function made(...args: readonly string[]): Promise<{ id: string; token: string }> {
  const { objects, stderr } = await mesh.run(["mesh", "token", "create", "--data-dir", mesh.dataDir("a"), "--json", ...args]);
  expect(objects[0], stderr).toBeDefined();
  return { id: String(objects[0]?.["id"]), token: String(objects[0]?.["token"]) };
}

describe("mesh init and node --token", () => {
  test("make a mesh in which everyone answers and every link is secure", async () => {
    await until(async () => ((await as("a", "ping", "c", "-c", "1")).code === 0 ? true : undefined), 10_000, "c answers");
    expect((await as("c", "ping", "b", "-c", "1")).code).toBe(0);
    const status = await as("b", "status");
    expect(status.objects[0]).toMatchObject({ node: "a", warnings: [], links: [{ secure: true }, { secure: true }] });
    const nodes = status.objects[0]?.["nodes"];
    expect(Array.isArray(nodes) ? nodes.map((node: { id: string }) => node.id) : []).toEqual(["b", "c"]);
  });

  test("need the token no more after that", async () => {
    await mesh.kill("b");
    await mesh.start("b", ["--no-listen", "--peer", at()]);
    await until(async () => ((await as("a", "ping", "b", "-c", "1")).code === 0 ? true : undefined), 10_000, "b answers again");
  });

  test("refuse to make a second mesh in one folder", async () => {
    const again = await mesh.run(["mesh", "init", "--data-dir", mesh.dataDir("a"), "--json"]);
    expect(again.objects[0]).toMatchObject({ error: { code: "CONFIG_INVALID" } });
    expect(again.code).toBe(78);
  });
});

describe("a fourth node", () => {
  test("with a token of another mesh is refused, and told so", async () => {
    const other = await mesh.run(["mesh", "init", "--data-dir", join(mesh.folder, "other"), "--json"]);
    const heard = await refused(["--token", String(other.objects[0]?.["token"])]);
    expect(heard).toMatchObject({ code: 5, error: { code: "TOKEN_REFUSED", data: { reason: "other-mesh" } } });
  });

  test("with a token that was used up, revoked or has expired is refused, and told which", async () => {
    const used = await made();
    await mesh.start("e", ["--no-listen", "--peer", at(), "--token", used.token]);
    const revoked = await made();
    expect((await mesh.run(["mesh", "token", "revoke", revoked.id, "--data-dir", mesh.dataDir("a")])).code).toBe(0);
    const short = await made("--expires", "1");
    expect(await refused(["--token", used.token])).toMatchObject({
      code: 5,
      error: { code: "TOKEN_REFUSED", data: { reason: "used-up" } },
    });
    expect(await refused(["--token", revoked.token])).toMatchObject({ code: 5, error: { data: { reason: "revoked" } } });
    expect(await refused(["--token", short.token])).toMatchObject({ code: 5, error: { data: { reason: "expired" } } });
    const list = await mesh.run(["mesh", "token", "list", "--data-dir", mesh.dataDir("a"), "--json"]);
    expect(list.objects.map(({ status }) => status)).toEqual(["open", "used-up", "revoked", "expired"]);
    expect(list.stdout).not.toContain("rmesh1_");
  });

  test("under the id of a member is refused", async () => {
    expect(await refused(["--token", token], "b")).toMatchObject({
      code: 5,
      error: { code: "DENIED", message: /"b" belongs to another node/ },
    });
  });

  test("with a text that is no token, or no peer to ask, is a mistake of its user", async () => {
    expect(await refused(["--token", "secret"])).toMatchObject({ code: 2, error: { code: "INVALID_ARGUMENT" } });
  });

  test("under another id than that of its certificate does not start", async () => {
    await mesh.kill("c");
    const ran = await mesh.run(["node", "--id", "x", "--data-dir", mesh.dataDir("c"), "--no-listen", "--peer", at(), "--json"]);
    expect(ran.code).toBe(78);
    expect(ran.objects.at(-1)).toMatchObject({ error: { code: "CERTIFICATE_INVALID", data: { node: "x", certified: "c" } } });
  });

  test("without a token, or with a certificate of another authority, is no member and hears why", async () => {
    const without = await mesh.run([
      "ping",
      "a",
      "-c",
      "1",
      "--peer",
      `tls://${at()}`,
      "--data-dir",
      join(mesh.folder, "nobody"),
      "--json",
    ]);
    expect(without.code).toBe(6);
    expect(without.stdout).toMatch(/join its mesh with a token/);
    // Without a certificate a bare address means plain TCP.
    const plain = await mesh.run(["ping", "a", "-c", "1", "--peer", at(), "--data-dir", join(mesh.folder, "nobody"), "--json"]);
    expect(plain.code).toBe(6);
    expect(plain.stdout).toMatch(/join that mesh with a token/);
    await mesh.run(["mesh", "init", "--id", "f", "--data-dir", mesh.dataDir("f"), "--json"]);
    const foreign = await mesh.run(["ping", "a", "-c", "1", "--peer", at(), "--data-dir", mesh.dataDir("f"), "--json"]);
    expect(foreign.code).toBe(6);
    expect(foreign.stdout).toMatch(/authority that is not trusted here|not signed by the authority/);
  });
});

/** What a node that was not let in says of its peer, in its own log. */
async function complaintOf(id: string, args: readonly string[]): Promise<Record<string, unknown>> {
  await mesh.start(id, ["--no-listen", ...args]);
  try {
    const { value } = await until(() => mesh.log(id).find(({ event }) => event === "peer-failed"), 10_000, `${id} says why`);
    expect(mesh.log(id).filter(({ event }) => event === "link-up")).toEqual([]);
    return value;
  } finally {
    await mesh.kill(id);
  }
}

describe("a node that does not belong", () => {
  beforeAll(async () => {
    await mesh.run(["mesh", "init", "--id", "foreign", "--data-dir", mesh.dataDir("foreign"), "--json"]);
  });

  test("without a token, or with a certificate of another authority, says why in its own log", async () => {
    expect(await complaintOf("g1", ["--peer", at()])).toMatchObject({
      code: "CONNECT_FAILED",
      error: expect.stringMatching(/join that mesh with a token/) as unknown,
    });
    expect(await complaintOf("g2", ["--peer", `tls://${at()}`])).toMatchObject({
      code: "CONNECT_FAILED",
      error: expect.stringMatching(/join its mesh with a token/) as unknown,
    });
    expect(await complaintOf("foreign", ["--peer", at()])).toMatchObject({
      code: "CONNECT_FAILED",
      error: expect.stringMatching(/authority that is not trusted/) as unknown,
    });
  });

  test("with a member's certificate under another's id is refused, and the one whose id it is stays", async () => {
    const thief = new RawPeer("b", connectAs(mesh.dataDir("e"), `tls://${at()}`));
    thief.send(linkFrame(FRAME.hello, encodeHello(greetingOf("b"))));
    expect(await thief.end()).toBe("DENIED");
    expect((await as("a", "ping", "b", "-c", "1")).code).toBe(0);
  });

  test("hears nothing by its socket but the handshake, and of tokens that it guesses one thing", async () => {
    const foreign = identityFiles(mesh.dataDir("foreign"));
    const own = { cert: readFileSync(foreign.certificate), key: readFileSync(foreign.key) };
    for (const shown of [{}, own]) expect(await heardBy({ ...shown, rejectUnauthorized: false })).toBe("");
    const real = parseJoinToken(token);
    const guesses = [{ secret: new Uint8Array(20) }, { id: "0123456789abcdef" }];
    const heard = await Promise.all(guesses.map((guess) => refused(["--token", formatJoinToken({ ...real, ...guess })])));
    expect(heard[0]).toMatchObject({ code: 5, error: { code: "TOKEN_REFUSED" } });
    expect(heard[0]).toEqual(heard[1]);
  });

  /** What the node says inside of TLS. */
  async function heardBy(options: ConnectionOptions): Promise<string> {
    const socket = connect({ host: "127.0.0.1", port, ...options });
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1"))).on("error", () => undefined);
    await within(once(socket, "close"), 10_000, "it is closed");
    return heard;
  }
});

test("cert show and check tell what a certificate says, and what is wrong with it", async () => {
  const shown = await mesh.run(["cert", "check", "--data-dir", mesh.dataDir("b"), "--json"]);
  expect(shown.objects[0]).toMatchObject({ node: "b", names: expect.stringMatching(/^URI:mesh:.*\/node\/b$/) as unknown, warnings: [] });
  const none = await mesh.run(["cert", "check", "--data-dir", join(mesh.folder, "nobody"), "--json"]);
  expect(none.code).toBe(78);
});
