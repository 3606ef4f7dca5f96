import { LOG_FORMATS, LOG_LEVELS } from "../config/node-config.ts";
import { MEMBER_COMMANDS } from "./member-commands.ts";
import type { CommandSpec, OptionSpec, PositionalSpec } from "./spec.ts";

const PEER: OptionSpec = {
  type: "list",
  alias: "p",
  value: "URL",
  summary: "node to join through; default: RECEPTOR_PEER, else the configuration's peers, else tcp://127.0.0.1:8888",
};
const DATA_DIR: OptionSpec = { type: "text", alias: "d", value: "DIR", summary: "data folder" };
const CONFIG: OptionSpec = {
  type: "text",
  value: "FILE",
  summary: "configuration file; default: ./receptor.config.yaml, else /etc/receptor/receptor.config.yaml",
};

const timeout = (summary: string): OptionSpec => ({ type: "text", value: "SECONDS", summary });
const mesh = { peer: PEER, config: CONFIG, "data-dir": { ...DATA_DIR, summary: "data folder whose certificate is shown to the mesh" } };
const NODE: PositionalSpec = { name: "node", summary: "id of a node", required: true };

/** Options of every command. */
export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  json: { type: "flag", summary: "one JSON object, or one a line" },
  quiet: { type: "flag", alias: "q", summary: "only results and errors" },
  help: { type: "flag", alias: "h", summary: "help" },
};

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "node",
    summary: "run a node until SIGTERM or SIGINT",
    options: {
      id: { type: "text", alias: "i", value: "ID", summary: "its name in the mesh; default: one that it makes and keeps" },
      listen: {
        type: "list",
        alias: "l",
        value: "URL",
        summary: "where to listen; default tcp://127.0.0.1:8888, tls://0.0.0.0:8888 for a member of a secure mesh",
      },
      "no-listen": { type: "flag", summary: "listen nowhere" },
      peer: { type: "list", alias: "p", value: "URL", summary: "node to dial, for as long as it runs" },
      token: { type: "text", value: "TOKEN", summary: "join token of a mesh, or @FILE with one; not needed again once it has joined" },
      group: { type: "list", alias: "g", value: "NAME", summary: "group to be a member of" },
      "data-dir": { ...DATA_DIR, summary: "where messages, identity and plugins are kept" },
      config: { ...CONFIG, alias: "c" },
      plugin: { type: "list", value: "SPEC", summary: "plugin to load beside those that are found: package name or path" },
      "max-work": { type: "text", value: "N", summary: "works that run at once; default 8" },
      http: { type: "text", value: "HOST:PORT", summary: "health, metrics and status" },
      "log-level": { type: "text", value: "LEVEL", choices: LOG_LEVELS, summary: `${LOG_LEVELS.join(", ")}; default info` },
      "log-format": { type: "text", value: "FORMAT", choices: LOG_FORMATS, summary: "pretty or json; default pretty" },
      insecure: { type: "flag", summary: "allow listeners beyond loopback without a certificate" },
      leaf: { type: "flag", summary: "carry nothing for others" },
      drain: { type: "text", value: "SECONDS", summary: "how long running work may go on when the node is stopped; default 10" },
    },
    examples: [
      ["node --id edge-1 --peer tcp://10.0.0.1:8888 --group web", "run a node that joins the mesh at 10.0.0.1"],
      ["node --peer 10.0.0.1 --token @token.txt", "join the secure mesh that the token is for"],
      ["node --id hub --listen tcp://127.0.0.1:0 --log-format json", "let the system choose the port; the ready line says which"],
    ],
    load: async () => (await import("./node.ts")).run,
  },
  {
    name: "ping",
    summary: "measure the round trip to a node",
    positionals: [NODE],
    options: {
      count: { type: "text", alias: "c", value: "COUNT", summary: "how many; default 4" },
      interval: { type: "text", alias: "i", value: "SECONDS", summary: "between two; default 1" },
      timeout: timeout("how long to wait for each answer; default 5"),
      ...mesh,
    },
    examples: [["ping worker -c 3", "three round trips to the node worker, and statistics"]],
    load: async () => (await import("./ping.ts")).run,
  },
  {
    name: "trace",
    summary: "show the way to a node, hop by hop",
    positionals: [NODE],
    options: { timeout: timeout("how long to wait for each answer; default 5"), ...mesh },
    examples: [["trace worker", "each node on the way to worker, with its round trip"]],
    load: async () => (await import("./trace.ts")).run,
  },
  {
    name: "send",
    summary: "send work and print its responses as they arrive",
    positionals: [
      { name: "target", summary: "node id, any:GROUP or all:GROUP", required: true },
      { name: "directive", summary: "PLUGIN:ACTION", required: true },
      { name: "payload", summary: "text, - for stdin, or @FILE; none: empty", required: false },
    ],
    options: {
      ttl: timeout("how long it may take to be accepted; 0: now or not at all; default 300"),
      timeout: timeout("how long to wait for the end; then the work is cancelled"),
      deadline: timeout("how long the work may take once accepted"),
      durable: { type: "flag", summary: "keep it on disk until it has ended" },
      detach: { type: "flag", summary: "print its id and return once it is accepted" },
      raw: { type: "flag", summary: "only the bytes of the responses" },
      header: { type: "list", value: "NAME=VALUE", summary: "header for the plugin" },
      ...mesh,
    },
    examples: [
      ["send worker echo:run hello", "hello, and back"],
      ["send any:web shell:run @script.sh --timeout 60", "the nearest member of web runs it"],
      ["send worker echo:sink - < big.iso", "stdin is streamed"],
    ],
    load: async () => (await import("./send.ts")).run,
  },
  {
    name: "status",
    summary: "show nodes, routes, links, parked messages, running work, warnings",
    options: {
      watch: { type: "flag", alias: "w", summary: "again every second" },
      timeout: timeout("how long to wait for the answer; default 10"),
      ...mesh,
    },
    examples: [
      ["status --watch", "the mesh, every second"],
      ["status --json", "for programs"],
    ],
    load: async () => (await import("./status.ts")).run,
  },
  {
    name: "queue",
    summary: "look after messages that wait at a node",
    examples: [["queue list", "what waits, for whom, and for how long"]],
    commands: [
      {
        name: "list",
        summary: "for whom, from whom, size, time left, why",
        options: {
          to: { type: "text", value: "NODE", summary: "only those for this node" },
          timeout: timeout("how long to wait for the answer; default 10"),
          ...mesh,
        },
        examples: [["queue list --to edge-1", "what waits for edge-1"]],
        load: async () => (await import("./queue.ts")).list,
      },
      {
        name: "purge",
        summary: "throw messages away; their senders are told",
        positionals: [{ name: "ids", summary: "ids of messages", required: false, many: true }],
        options: {
          to: { type: "text", value: "NODE", summary: "those for this node" },
          all: { type: "flag", summary: "all of them" },
          timeout: timeout("how long to wait for the answer; default 10"),
          ...mesh,
        },
        examples: [["queue purge --to edge-1", "throw away what waits for edge-1"]],
        load: async () => (await import("./queue.ts")).purge,
      },
      {
        name: "retry",
        summary: "try messages again now; without a choice all of them",
        positionals: [{ name: "ids", summary: "ids of messages", required: false, many: true }],
        options: {
          to: { type: "text", value: "NODE", summary: "those for this node" },
          all: { type: "flag", summary: "all of them" },
          timeout: timeout("how long to wait for the answer; default 10"),
          ...mesh,
        },
        examples: [["queue retry", "try everything again"]],
        load: async () => (await import("./queue.ts")).retry,
      },
    ],
  },
  {
    name: "plugin",
    summary: "list, add and remove plugins",
    examples: [["plugin list", "what the node can do"]],
    commands: [
      {
        name: "list",
        summary: "what this node can do",
        options: { ...mesh, "data-dir": DATA_DIR },
        examples: [["plugin list --data-dir ./data", "what is installed there"]],
        load: async () => (await import("./plugin.ts")).list,
      },
      {
        name: "add",
        summary: "install a plugin with npm into the node's plugin folder",
        positionals: [{ name: "spec", summary: "what npm install takes: a name, name@version, a path, a URL", required: true }],
        options: { ...mesh, "data-dir": DATA_DIR, "allow-scripts": { type: "flag", summary: "let npm run the packages' install scripts" } },
        examples: [["plugin add ./my-plugin --data-dir ./data", "install a plugin from a folder"]],
        load: async () => (await import("./plugin.ts")).add,
      },
      {
        name: "remove",
        summary: "remove a plugin",
        positionals: [{ name: "name", summary: "name of the plugin or of its package", required: true }],
        options: { ...mesh, "data-dir": DATA_DIR },
        examples: [["plugin remove my-plugin", "remove it"]],
        load: async () => (await import("./plugin.ts")).remove,
      },
    ],
  },
  ...MEMBER_COMMANDS,
  {
    name: "config",
    summary: "check, show and describe the configuration",
    examples: [["config check", "mistakes in the file, with their lines"]],
    commands: [
      {
        name: "check",
        summary: "find mistakes in the file, with their lines",
        positionals: [{ name: "file", summary: "the file; default: the one that would be used", required: false }],
        options: { config: { ...CONFIG, alias: "c" } },
        examples: [["config check receptor.config.yaml", "check this file"]],
        load: async () => (await import("./config.ts")).check,
      },
      {
        name: "show",
        summary: "what holds, and where each value came from",
        options: { config: { ...CONFIG, alias: "c" }, reveal: { type: "flag", summary: "show the values of headers too" } },
        examples: [["config show", "every value with the file, variable or default that it came from"]],
        load: async () => (await import("./config.ts")).show,
      },
      {
        name: "schema",
        summary: "print the JSON Schema of the file",
        examples: [["config schema > receptor.schema.json", "for an editor"]],
        load: async () => (await import("./config.ts")).schema,
      },
    ],
  },
  {
    name: "doctor",
    summary: "find what is wrong here, and how to mend it",
    options: { ...mesh, "data-dir": DATA_DIR },
    examples: [["doctor", "check this machine, the configuration and the peers"]],
    load: async () => (await import("./doctor.ts")).run,
  },
  {
    name: "completion",
    summary: "print the completion script of a shell",
    positionals: [{ name: "shell", summary: "bash, zsh or fish", required: true, choices: ["bash", "zsh", "fish"] }],
    examples: [["completion bash >> ~/.bashrc", "complete commands and options in bash"]],
    load: async () => (await import("./completion.ts")).completion(COMMANDS, GLOBAL_OPTIONS),
  },
];
