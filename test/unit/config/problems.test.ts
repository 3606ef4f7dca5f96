import { describe, expect, it } from "vitest";
import { checkConfigFile } from "../../../src/config/load.ts";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkUrl, folder, mistakes } from "./support.ts";

const only = async (text: string): Promise<string | undefined> => (await mistakes(text)).slice(1).join(" | ");

describe("a mistake in the file", () => {
  it.each([
    [
      "unknown key, nearest of its section",
      "node:\n  groupz: [a]\n",
      'receptor.config.yaml:2:3: unknown key "groupz" in node; did you mean "groups"?',
    ],
    ["unknown key at the top", "\n\nlisten: []\npers: []\n", 'receptor.config.yaml:4:1: unknown key "pers"; did you mean "peers"?'],
    ["known key in the wrong place", "groups: [a]\n", 'receptor.config.yaml:1:1: unknown key "groups"; did you mean "node.groups"?'],
    [
      "misspelt key in the wrong place",
      "level: info\nlog: {}\n",
      'receptor.config.yaml:1:1: unknown key "level"; did you mean "log.level"?',
    ],
    ["unknown key like nothing", "banana: 1\n", 'receptor.config.yaml:1:1: unknown key "banana"'],
    [
      "another spelling",
      "work:\n  max_concurrent: 4\n",
      'receptor.config.yaml:2:3: unknown key "max_concurrent" in work; did you mean "maxConcurrent"?',
    ],
    ["prototype key", "__proto__:\n  a: 1\n", 'receptor.config.yaml:1:1: unknown key "__proto__"'],
    ["number for text", "node:\n  id: 17\n", "receptor.config.yaml:2:7: node.id must be text, not 17; put it in quotes"],
    [
      "bad node id",
      "node: { id: 'a b' }\n",
      'receptor.config.yaml:1:13: node.id: a node id has 1 to 128 characters of A-Z a-z 0-9 . _ : -, not "a b"',
    ],
    [
      "text for a list",
      "listen: tcp://127.0.0.1:1\n",
      'receptor.config.yaml:1:9: listen must be a list, not "tcp://127.0.0.1:1"; write ["tcp://127.0.0.1:1"]',
    ],
    ["bad address in a list", "peers:\n  - a:1\n  - zip://b\n", 'receptor.config.yaml:3:5: peers[1]: "zip://b" is no address'],
    ["out of range", "work: { maxConcurrent: 0 }\n", "receptor.config.yaml:1:24: work.maxConcurrent must be at least 1, not 0"],
    ["no whole number", "work: { queue: 1.5 }\n", "receptor.config.yaml:1:16: work.queue must be a whole number, not 1.5"],
    [
      "bad duration",
      "store:\n  ttl: 5 minutes\n",
      'receptor.config.yaml:2:8: store.ttl: a duration is a number with a unit, such as 250ms, 30s, 5m or 1h, not "5 minutes"',
    ],
    ["negative duration", "store: { ttl: -1 }\n", "receptor.config.yaml:1:15: store.ttl must be at least 0, not -1"],
    [
      "bad size",
      "store: { maxBytes: lots }\n",
      'receptor.config.yaml:1:20: store.maxBytes: a size is a number with a unit, such as 512MiB or 1GiB, not "lots"',
    ],
    ["size too small", "store: { maxBytes: 1B }\n", 'receptor.config.yaml:1:20: store.maxBytes: it must be at least 1KiB, not "1B"'],
    [
      "wrong word",
      "log: { level: inof }\n",
      'receptor.config.yaml:1:15: log.level is one of debug, info, warn, error, silent, not "inof"; did you mean "info"?',
    ],
    ["bad HOST:PORT", "http: nowhere\n", 'receptor.config.yaml:1:7: http: it must be HOST:PORT, such as 127.0.0.1:8889, not "nowhere"'],
    ["port too high", "http: a:70000\n", 'receptor.config.yaml:1:7: http: a port is at most 65535, not "a:70000"'],
    [
      "bad name of a plugin",
      "plugins:\n  Echo!: {}\n",
      'receptor.config.yaml:2:3: "Echo!": a plugin\'s name has 1 to 64 characters of a-z 0-9 -',
    ],
    ["plugin options that are no map", "plugins:\n  echo: 5\n", "receptor.config.yaml:2:9: plugins.echo must be a map of keys, not 5"],
    [
      "plugins that are neither",
      "plugins: all\n",
      'receptor.config.yaml:1:10: plugins: plugins is "auto", or a map from a plugin\'s name to its options ({} for none), not "all"',
    ],
    ["section that is no map", "log: info\n", 'receptor.config.yaml:1:6: log must be a map of keys, not "info"'],
    ["whole file that is no map", "- a\n", "receptor.config.yaml:1:1: the configuration must be a map of keys, not a list"],
    ["certificate without its key", "tls:\n  cert: a.pem\n", "receptor.config.yaml:2:3: tls.cert needs tls.key too"],
    [
      "header with a line break",
      'websocket: { headers: { A: "b\\r\\nC: d" } }\n',
      'receptor.config.yaml:1:28: websocket.headers.A: a header\'s value is one line of text, not "b\\r\\nC: d"',
    ],
  ])("is told with its line: %s", async (_, text, expected) => {
    expect(await only(text)).toBe(expected);
  });

  it.each([
    ["broken YAML", "node: {\n", /^receptor\.config\.yaml:\d+:\d+: \S/],
    ["one key twice", "listen: []\nlisten: []\n", /^receptor\.config\.yaml:2:1: .*unique/],
    ["a second document", "listen: []\n---\npeers: []\n", /^receptor\.config\.yaml:[23]:\d+: a second document/],
    [
      "an alias bomb",
      `a: &a [x,x]\n${"bcdefgh".replaceAll(/./g, (c) => `${c}: &${c} [*${String.fromCharCode(c.charCodeAt(0) - 1)},*${String.fromCharCode(c.charCodeAt(0) - 1)}]\n`)}`,
      /alias/i,
    ],
  ])("of syntax is told with its line: %s", async (_, text, expected) => {
    expect((await mistakes(text))[1]).toMatch(expected);
  });

  it("does not hide the others", async () => {
    expect(await mistakes("nod: {}\nwork: { queue: -1 }\npeers: [5, 'zip://x']\n", { env: { RECEPTOR_LOG_LEVEL: "loud" } })).toEqual([
      "CONFIG_INVALID",
      'RECEPTOR_LOG_LEVEL: log.level is one of debug, info, warn, error, silent, not "loud"',
      'receptor.config.yaml:1:1: unknown key "nod"; did you mean "node"?',
      "receptor.config.yaml:2:16: work.queue must be at least 0, not -1",
      "receptor.config.yaml:3:9: peers[0] must be text, not 5; put it in quotes",
      'receptor.config.yaml:3:12: peers[1]: "zip://x" is no address',
    ]);
  });
});

describe("checkConfigFile", () => {
  it("finds nothing in a file that is right, and each mistake in one that is not", async () => {
    const cwd = await folder();
    await writeFile(join(cwd, "a.yaml"), "peers: [a:1]\n");
    expect(await checkConfigFile("a.yaml", cwd, checkUrl)).toEqual([]);
    await writeFile(join(cwd, "a.yaml"), "peer: [a:1]\n");
    expect(await checkConfigFile("a.yaml", cwd, checkUrl)).toEqual([
      { file: "a.yaml", line: 1, column: 1, message: 'unknown key "peer"', suggestion: "peers" },
    ]);
  });

  it("says why a file cannot be read", async () => {
    await expect(checkConfigFile("none.yaml", await folder())).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: "none.yaml: the configuration cannot be read: there is no such file",
    });
  });
});
