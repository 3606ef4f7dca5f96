import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pluginFolder, ProcessMesh, type Ran } from "../support/mesh.ts";

let mesh: ProcessMesh;
let url = "";
/** Milliseconds that the command needs to start and do nothing. */
let start = 0;

beforeAll(async () => {
  mesh = new ProcessMesh();
  const hub = await mesh.start("hub", ["--listen", "tcp://127.0.0.1:0", "--group", "web", "--plugin", pluginFolder("echo")]);
  url = hub.listening[0] ?? "";
  const starts: number[] = [];
  for (let i = 0; i < 3; i++) starts.push((await mesh.run(["--version"])).milliseconds);
  start = Math.max(...starts);
});

afterAll(async () => {
  await mesh.close();
});

interface Mistake {
  readonly name: string;
  readonly args: () => readonly string[];
  readonly exit: number;
  readonly code: string;
  /** What the message must hold: what is wrong, and what to do. */
  readonly says: readonly (RegExp | (() => string))[];
}

const peer = (): readonly string[] => ["--peer", url];
const port = (): string => new URL(url).port;
const node = (name: string, ...args: readonly string[]): readonly string[] => [
  "node",
  "--data-dir",
  mesh.dataDir(name),
  "--listen",
  "tcp://127.0.0.1:0",
  ...args,
];
const send = (...args: readonly string[]): readonly string[] => ["send", ...args, ...peer()];

function config(name: string, text: string): string {
  const path = join(mesh.folder, `${name}.yaml`);
  writeFileSync(path, text);
  return path;
}

const MISTAKES: readonly Mistake[] = [
  {
    name: "a port in use",
    args: () => ["node", "--data-dir", mesh.dataDir("p"), "--listen", `tcp://127.0.0.1:${port()}`],
    exit: 1,
    code: "LISTEN_FAILED",
    says: [/in use/, port, /--listen/],
  },
  {
    name: "a data folder that another node holds",
    args: () => ["node", "--data-dir", mesh.dataDir("hub"), "--no-listen"],
    exit: 78,
    code: "DATA_DIR_IN_USE",
    says: [/"hub"/, () => String(mesh.pid("hub")), /--data-dir/],
  },
  {
    name: "a listener beyond loopback",
    args: () => ["node", "--data-dir", mesh.dataDir("p"), "--listen", "tcp://0.0.0.0:0"],
    exit: 78,
    code: "INSECURE_LISTEN",
    says: [/0\.0\.0\.0/, /certificate/, /--insecure/],
  },
  {
    name: "an unknown key of the configuration",
    args: () => node("p", "--config", config("key", "node:\n  id: edge\npeer:\n  - tcp://127.0.0.1:1\n")),
    exit: 78,
    code: "CONFIG_INVALID",
    says: [/key\.yaml:3/, /"peer"/, /did you mean "peers"/],
  },
  {
    name: "a value of the wrong kind",
    args: () => ["config", "check", config("kind", "work:\n  maxConcurrent: many\n")],
    exit: 78,
    code: "CONFIG_INVALID",
    says: [/kind\.yaml:2/, /work\.maxConcurrent/, /number/],
  },
  {
    name: "a configuration that is no YAML",
    args: () => node("p", "--config", config("yaml", "node:\n  id: [a\n")),
    exit: 78,
    code: "CONFIG_INVALID",
    says: [/yaml\.yaml:\d/],
  },
  {
    name: "a configuration file that is missing",
    args: () => node("p", "--config", join(mesh.folder, "nowhere.yaml")),
    exit: 78,
    code: "CONFIG_INVALID",
    says: [/nowhere\.yaml/],
  },
  {
    name: "a certificate that is missing",
    args: () => node("p", "--config", config("cert", "tls: { cert: gone.pem, key: gone.key }\n")),
    exit: 78,
    code: "CONFIG_INVALID",
    says: [/tls\.cert/, /gone\.pem/],
  },
  {
    name: "a bad id",
    args: () => node("p", "--id", "edge 1"),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--id/, /"edge 1"/, /A-Z a-z 0-9/],
  },
  {
    name: "a bad address to listen on",
    args: () => ["node", "--data-dir", mesh.dataDir("p"), "--listen", "http://127.0.0.1:1"],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--listen/, /"http"/, /tcp/],
  },
  {
    name: "a bad port",
    args: () => node("p", "--peer", "tcp://127.0.0.1:99999"),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--peer/, /99999/],
  },
  {
    name: "a bad level",
    args: () => node("p", "--log-level", "inof"),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--log-level/, /"inof"/, /info/],
  },
  {
    name: "a bad count of work",
    args: () => node("p", "--max-work", "0"),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--max-work/, /at least 1/],
  },
  {
    name: "--listen with --no-listen",
    args: () => node("p", "--no-listen"),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--listen/, /--no-listen/],
  },
  {
    name: "an address for the web that is none",
    args: () => node("p", "--http", "8889"),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--http/, /HOST:PORT/],
  },
  { name: "no command", args: () => [], exit: 2, code: "INVALID_ARGUMENT", says: [/command/, /--help/] },
  { name: "an unknown command", args: () => ["nod"], exit: 2, code: "INVALID_ARGUMENT", says: [/"nod"/, /did you mean "node"/] },
  {
    name: "an unknown sub-command",
    args: () => ["queue", "lst"],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/"lst"/, /did you mean "list"/],
  },
  {
    name: "an unknown option",
    args: () => ["status", "--pear", "x"],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--pear/, /did you mean "--peer"/],
  },
  {
    name: "an option without its value",
    args: () => ["status", "--peer"],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--peer needs a value/],
  },
  { name: "a missing argument", args: () => ["send", "hub"], exit: 2, code: "INVALID_ARGUMENT", says: [/DIRECTIVE/, /send --help/] },
  {
    name: "a time that is none",
    args: () => send("hub", "echo:run", "x", "--ttl", "soon"),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--ttl/, /"soon"/, /seconds/],
  },
  {
    name: "a count of pings that is none",
    args: () => ["ping", "hub", "-c", "0", ...peer()],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--count/, /"0"/],
  },
  {
    name: "what cannot be purged",
    args: () => ["queue", "purge", ...peer()],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/ids/, /--to/, /--all/],
  },
  {
    name: "a work id that is none",
    args: () => ["queue", "purge", "nonsense", ...peer()],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/nonsense/],
  },
  {
    name: "a peer that nobody listens at",
    args: () => ["status", "--peer", "tcp://127.0.0.1:1"],
    exit: 6,
    code: "UNREACHABLE_MESH",
    says: [/tcp:\/\/127\.0\.0\.1:1/, /nothing listens there/, /--peer/],
  },
  {
    name: "a bad address of a peer",
    args: () => ["status", "--peer", "htp://127.0.0.1:1"],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/"htp"/, /tcp, tls, ws, wss/],
  },
  { name: "an unknown node", args: () => send("nobody", "echo:run", "x"), exit: 4, code: "UNKNOWN_NODE", says: [/"nobody"/] },
  { name: "an unknown node to ping", args: () => ["ping", "nobody", ...peer()], exit: 4, code: "UNKNOWN_NODE", says: [/"nobody"/] },
  { name: "an unknown node to trace", args: () => ["trace", "nobody", ...peer()], exit: 4, code: "UNKNOWN_NODE", says: [/"nobody"/] },
  { name: "an unknown group, any", args: () => send("any:wbe", "echo:run", "x"), exit: 4, code: "UNKNOWN_GROUP", says: [/"wbe"/] },
  { name: "an unknown group, all", args: () => send("all:wbe", "echo:run", "x"), exit: 4, code: "UNKNOWN_GROUP", says: [/"wbe"/] },
  {
    name: "an unknown plugin",
    args: () => send("hub", "ecko:run", "x"),
    exit: 1,
    code: "UNKNOWN_PLUGIN",
    says: [/"ecko"/, /"hub"/, /it has echo/],
  },
  {
    name: "an unknown action",
    args: () => send("hub", "echo:rum", "x"),
    exit: 1,
    code: "UNKNOWN_ACTION",
    says: [/"rum"/, /"echo"/, /"hub"/, /it has .*run/],
  },
  {
    name: "an action that no member has",
    args: () => send("any:web", "echo:rum", "x"),
    exit: 1,
    code: "UNKNOWN_ACTION",
    says: [/echo:rum/, /"web"/],
  },
  { name: "no directive", args: () => send("hub", "echo"), exit: 2, code: "INVALID_ARGUMENT", says: [/"echo"/, /plugin:action/] },
  { name: "no target", args: () => send("hub!", "echo:run"), exit: 2, code: "INVALID_ARGUMENT", says: [/"hub!"/, /any:GROUP/] },
  {
    name: "a payload that is missing",
    args: () => send("hub", "echo:run", "@gone.bin"),
    exit: 2,
    code: "PAYLOAD_UNREADABLE",
    says: [/gone\.bin/, /no such file/],
  },
  {
    name: "a payload that is a folder",
    args: () => send("hub", "echo:run", `@${mesh.folder}`),
    exit: 2,
    code: "PAYLOAD_UNREADABLE",
    says: [/it is a folder/],
  },
  {
    name: "a payload that should be JSON",
    args: () => send("hub", "echo:count", '{"count":'),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/JSON/],
  },
  {
    name: "--raw with --json",
    args: () => send("hub", "echo:run", "x", "--raw", "--json"),
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/--raw/, /--json/],
  },
  {
    name: "a plugin to remove that is not there",
    args: () => ["plugin", "remove", "gone", "--data-dir", mesh.dataDir("p")],
    exit: 1,
    code: "PLUGIN_INSTALL_FAILED",
    says: [/"gone"/, /none/],
  },
  {
    name: "a shell without completion",
    args: () => ["completion", "tcsh"],
    exit: 2,
    code: "INVALID_ARGUMENT",
    says: [/tcsh/, /bash/, /zsh/, /fish/],
  },
];

function check(ran: Ran, { exit, says }: Mistake, message: string): void {
  expect(ran.code, ran.stdout + ran.stderr).toBe(exit);
  for (const word of says) {
    if (word instanceof RegExp) expect(message).toMatch(word);
    else expect(message).toContain(word());
  }
  expect(ran.stdout + ran.stderr).not.toMatch(/^\s+at |node:internal|\[object Object\]|undefined|file:\/\//m);
  expect(ran.milliseconds).toBeLessThan(3 * start + 1_000);
}

describe("what goes wrong is said in one message, with its exit code, at once", () => {
  test.each(MISTAKES.map((mistake) => [mistake.name, mistake] as const))("%s", async (_name, mistake) => {
    const { args, code } = mistake;
    const forPeople = await mesh.run(args());
    check(forPeople, mistake, forPeople.stderr + forPeople.stdout);
    const forPrograms = await mesh.run([...args(), ...(args().includes("--json") ? [] : ["--json"])]);
    const last = forPrograms.objects.at(-1);
    // A work that failed says so in its end.
    const error = last?.["error"] as { code: string; message: string } | undefined;
    expect(error, forPrograms.stdout + forPrograms.stderr).toMatchObject({ code, message: expect.any(String) as unknown });
    check(forPrograms, mistake, error?.message ?? "");
    expect(forPrograms.stderr).toBe("");
    expect(forPrograms.stdout.trimEnd().split("\n")).toHaveLength(forPrograms.objects.length);
    if (!args().includes("--json")) {
      expect(forPeople.stderr).toContain(code);
      expect(forPeople.stdout).toMatch(/^(?:nobody: 1 sent, 0 received, 100% lost\n)?$/);
    }
  });

  test("a plugin that cannot be loaded is named, and the node runs on", async () => {
    const folder = join(mesh.folder, "broken");
    mkdirSync(folder);
    const receptor = { plugin: "./index.js", api: "^1" };
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ name: "broken", version: "1.0.0", type: "module", keywords: ["receptor-plugin"], receptor }),
    );
    writeFileSync(join(folder, "index.js"), "throw new Error('out of order');\n");
    const ready = await mesh.start("limping", ["--listen", "tcp://127.0.0.1:0", "--plugin", folder, "--plugin", pluginFolder("echo")]);
    const status = await mesh.status(ready.listening[0] ?? "");
    expect(status.warnings.join("\n")).toMatch(/broken.*out of order/s);
    const sent = await mesh.run(["send", "limping", "echo:run", "still here", "--peer", ready.listening[0] ?? ""]);
    expect(sent.stdout).toBe("still here\n");
    await mesh.signal("limping", "SIGTERM");
  });

  test("a peer that cannot be reached is named in the log of a node, which runs on", async () => {
    await mesh.start("lonely", ["--no-listen", "--peer", "tcp://127.0.0.1:1"]);
    const failed = mesh.log("lonely").find(({ event }) => event === "peer-failed");
    if (failed !== undefined) expect(String(failed["error"])).toMatch(/127\.0\.0\.1:1.*nothing listens there/);
    expect(await mesh.signal("lonely", "SIGTERM")).toBe(0);
    expect(mesh.log("lonely").filter(({ event }) => event === "peer-failed")).toMatchObject([
      { level: "warn", code: "CONNECT_FAILED", url: "tcp://127.0.0.1:1" },
    ]);
  });
});
