import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { checkConfigFile } from "../../../src/config/load.ts";
import { DEFAULTS } from "../../../src/config/node-config.ts";
import { inFileShape } from "../../../src/config/show.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { folder, load, mistakes } from "./support.ts";

describe("loadConfig", () => {
  it("gives the defaults where nothing is said", async () => {
    const { config, file, origins } = await load(undefined, { env: { XDG_DATA_HOME: "/xdg" } });
    expect(file).toBeUndefined();
    expect(config).toEqual({ ...DEFAULTS, dataDir: "/xdg/receptor-mesh/default" });
    expect(new Set([...origins.values()].map(({ source }) => source))).toEqual(new Set(["default"]));
  });

  it("reads every key of the file, in milliseconds and bytes", async () => {
    const { config } = await load(
      [
        "node: { id: edge-1, groups: [web, web], dataDir: ./data, leaf: true }",
        "listen: ['tcp://127.0.0.1:0']",
        "peers: [a:1, b:2]",
        "insecure: true",
        "work: { maxConcurrent: 3, queue: 0, retention: 90s }",
        "store: { maxBytes: 2MiB, maxMessages: 5, ttl: 250ms }",
        "plugins:\n  echo:\n  shell: { commands: { uptime: { run: uptime } } }",
        "http: '[::1]:9'",
        "log: { level: warn, format: json }",
        "tls: { cert: c.pem, key: /k.pem, ca: ../ca.pem }",
        "websocket: { headers: { X-A: b } }",
      ].join("\n"),
      { cwd: await folder() },
    );
    expect(config).toMatchObject({
      id: "edge-1",
      groups: ["web"],
      leaf: true,
      listen: ["tcp://127.0.0.1:0"],
      peers: ["a:1", "b:2"],
      insecure: true,
      work: { maxConcurrent: 3, queue: 0, retention: 90_000 },
      store: { maxBytes: 2 * 2 ** 20, maxMessages: 5, ttl: 250 },
      plugins: { echo: {}, shell: { commands: { uptime: { run: "uptime" } } } },
      http: "[::1]:9",
      log: { level: "warn", format: "json" },
      websocket: { headers: { "X-A": "b" } },
    });
  });

  it("takes paths in the file relative to the file, others relative to the working folder", async () => {
    const cwd = await folder();
    await mkdir(join(cwd, "etc"));
    await writeFile(join(cwd, "etc/my.yaml"), "node: { dataDir: data }\ntls: { cert: a.crt, key: ../a.key }\n");
    const { config, file } = await load(undefined, { cwd, file: "etc/my.yaml" });
    expect(file).toBe(join(cwd, "etc/my.yaml"));
    expect(config.dataDir).toBe(join(cwd, "etc/data"));
    expect(config.tls).toEqual({ cert: join(cwd, "etc/a.crt"), key: join(cwd, "a.key") });
    const flagged = await load(undefined, { cwd, file: "etc/my.yaml", flags: { "data-dir": "other" } });
    expect(flagged.config.dataDir).toBe(join(cwd, "other"));
  });

  it("lets flags override the environment, and the environment the file, setting by setting", async () => {
    const file = "node: { id: from-file, groups: [file] }\nwork: { maxConcurrent: 1, queue: 2 }\nlog:\n  level: error\n";
    const env = { RECEPTOR_NODE_ID: "from-env", RECEPTOR_MAX_WORK: "5", RECEPTOR_LOG_FORMAT: "json" };
    const { config, origins } = await load(file, { env, flags: { id: "from-flag" } });
    expect(config).toMatchObject({
      id: "from-flag",
      groups: ["file"],
      work: { maxConcurrent: 5, queue: 2 },
      log: { level: "error", format: "json" },
    });
    expect(origins.get("node.id")).toEqual({ source: "flag", name: "--id" });
    expect(origins.get("work.maxConcurrent")).toEqual({ source: "environment", name: "RECEPTOR_MAX_WORK" });
    expect(origins.get("work.queue")).toEqual({ source: "file", file: "receptor.config.yaml", line: 2, column: 27 });
    expect(origins.get("log.level")).toEqual({ source: "file", file: "receptor.config.yaml", line: 4, column: 3 });
    expect(origins.get("log.format")).toEqual({ source: "environment", name: "RECEPTOR_LOG_FORMAT" });
    expect(origins.get("store.ttl")).toEqual({ source: "default" });
  });

  it("reads lists, booleans and units from the environment; an empty variable is none", async () => {
    const env = {
      RECEPTOR_PEERS: "a:1, b:2 c:3",
      RECEPTOR_PEER: "ignored:1",
      RECEPTOR_GROUP: "web",
      RECEPTOR_LISTEN: "none",
      RECEPTOR_LEAF: "yes",
      RECEPTOR_INSECURE: "0",
      RECEPTOR_STORE_TTL: "1m",
      RECEPTOR_STORE_MAX_BYTES: "5000",
      RECEPTOR_NODE_ID: "",
      RECEPTOR_PLUGINS: "./mine,other",
    };
    const cwd = await folder();
    const { config } = await load(undefined, { env, cwd });
    expect(config).toMatchObject({ peers: ["a:1", "b:2", "c:3"], groups: ["web"], listen: [], leaf: true, insecure: false, id: undefined });
    expect(config.store).toMatchObject({ ttl: 60_000, maxBytes: 5_000 });
    expect(config.extraPlugins).toEqual([join(cwd, "mine"), "other"]);
  });

  it("leaves variables of others alone", async () => {
    const { config } = await load(undefined, { env: { RECEPTOR_SERVICE_HOST: "10.0.0.1", RECEPTOR_PORT: "tcp://10.0.0.1:80" } });
    expect(config.listen).toEqual(DEFAULTS.listen);
  });

  it("reads --no-listen as an empty list", async () => {
    const { config, origins } = await load("listen: [a:1]\n", { flags: { "no-listen": true } });
    expect(config.listen).toEqual([]);
    expect(origins.get("listen")).toEqual({ source: "flag", name: "--no-listen" });
  });

  it("calls a wrong flag a wrong argument, and names it", async () => {
    expect(await mistakes(undefined, { flags: { "max-work": "many" } })).toEqual([
      "INVALID_ARGUMENT",
      '--max-work: work.maxConcurrent must be a number, not "many"',
    ]);
    expect(await mistakes(undefined, { flags: { listen: ["zip://x"] } })).toEqual([
      "INVALID_ARGUMENT",
      '--listen: listen[0]: "zip://x" is no address',
    ]);
  });

  it("names the variable that is wrong", async () => {
    expect(await mistakes(undefined, { env: { RECEPTOR_LEAF: "perhaps" } })).toEqual([
      "CONFIG_INVALID",
      'RECEPTOR_LEAF: node.leaf must be true or false, not "perhaps"',
    ]);
  });

  it("finds a file by --config, then RECEPTOR_CONFIG, then in the working folder", async () => {
    const cwd = await folder();
    for (const name of ["a", "b"]) await writeFile(join(cwd, `${name}.yaml`), `node: { id: ${name} }\n`);
    await writeFile(join(cwd, "receptor.config.yaml"), "node: { id: c }\n");
    const env = { RECEPTOR_CONFIG: "b.yaml" };
    expect((await load(undefined, { cwd, env, file: "a.yaml" })).config.id).toBe("a");
    expect((await load(undefined, { cwd, env })).config.id).toBe("b");
    expect((await load(undefined, { cwd })).config.id).toBe("c");
  });

  it("refuses a file that was named and does not exist", async () => {
    expect(await mistakes(undefined, { file: "none.yaml" })).toEqual([
      "CONFIG_INVALID",
      "none.yaml: the configuration cannot be read: there is no such file",
    ]);
  });

  it("takes keys with nothing behind them as not said", async () => {
    const { config } = await load("node:\nlisten:\nwork:\n  queue:\nplugins:\n  echo:\n");
    expect(config).toMatchObject({ listen: DEFAULTS.listen, work: DEFAULTS.work, plugins: { echo: {} } });
  });

  it("takes an empty file, and one of comments alone", async () => {
    expect((await load("")).config.work).toEqual(DEFAULTS.work);
    expect((await load("# nothing\n")).config.work).toEqual(DEFAULTS.work);
  });

  it("runs no plugin that was not named once there is a certificate", async () => {
    expect((await load("tls: { cert: a, key: b }\n")).config.plugins).toEqual({});
    expect((await load("tls: { cert: a, key: b }\nplugins: auto\n")).config.plugins).toBe("auto");
  });

  it("freezes the configuration all the way down", async () => {
    const { config } = await load("peers: [a:1]\nplugins: { echo: {} }\nwebsocket: { headers: { A: b } }\n");
    const parts = [
      config,
      config.peers,
      config.listen,
      config.groups,
      config.work,
      config.store,
      config.log,
      config.tls,
      config.plugins,
      config.websocket.headers,
      config.extraPlugins,
    ];
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true);
  });
});

describe("receptor.config.yaml at the top of the repository", () => {
  const path = resolve(import.meta.dirname, "../../../receptor.config.yaml");

  it("has no mistake", async () => expect(await checkConfigFile(path, "/", parseMeshUrl)).toEqual([]));

  it("says what the defaults are", async () => {
    const { config } = await load(undefined, { file: path });
    expect({ ...config, dataDir: undefined }).toEqual(DEFAULTS);
  });
});

describe("inFileShape", () => {
  it("lists every value under its key in the file, with where it came from", async () => {
    const resolved = await load("node:\n  id: a\n", { env: { RECEPTOR_PEER: "p:1" } });
    const rows = inFileShape(resolved);
    expect(rows.find(({ key }) => key === "node.id")).toEqual({
      key: "node.id",
      value: "a",
      origin: { source: "file", file: "receptor.config.yaml", line: 2, column: 3 },
    });
    expect(rows.find(({ key }) => key === "peers")).toEqual({
      key: "peers",
      value: ["p:1"],
      origin: { source: "environment", name: "RECEPTOR_PEER" },
    });
    expect(rows.find(({ key }) => key === "work.queue")).toEqual({ key: "work.queue", value: 1_000, origin: { source: "default" } });
  });

  it("hides the values of headers unless told otherwise", async () => {
    const resolved = await load("websocket: { headers: { Authorization: secret } }\n");
    expect(JSON.stringify(inFileShape(resolved))).not.toContain("secret");
    expect(JSON.stringify(inFileShape(resolved, { reveal: true }))).toContain("secret");
  });
});
