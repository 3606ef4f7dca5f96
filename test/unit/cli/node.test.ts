import { describe, expect, it } from "vitest";
import type { NodeExtra } from "../../../src/cli/context.ts";
import type { NodeConfig } from "../../../src/config/node-config.ts";
import type { NodeOptions } from "../../../src/config/options.ts";
import { MeshError } from "../../../src/core/errors.ts";
import type { Logger } from "../../../src/core/log.ts";
import type { MeshNode } from "../../../src/node/api.ts";
import { cli, fakeNode, type Ran } from "./fakes.ts";

interface Running {
  readonly options: NodeOptions[];
  readonly logged: { readonly fields: object; readonly message: string; readonly logger: string }[];
  readonly drains: (number | undefined)[];
  readonly ran: Ran;
}

/** Runs `receptor node` until `during` has done what it does to the node that is ready. */
async function node(
  argv: readonly string[],
  during: (tools: { stop(): void; extra: NodeExtra; sighup(): Promise<void> }) => void | Promise<void>,
  parts: Partial<MeshNode> = {},
  env = {},
): Promise<Running> {
  const controller = new AbortController();
  const options: NodeOptions[] = [];
  const logged: Running["logged"] = [];
  const drains: (number | undefined)[] = [];
  let hup: () => void = () => {};
  let extra: NodeExtra = {};
  const sighup = async (): Promise<void> => {
    hup();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const logger = (level: string): Logger => {
    const log = (fields: object, message: string): void => void logged.push({ fields, message, logger: level });
    return { debug: log, info: log, warn: log, error: log, child: () => logger(level) };
  };
  const ran = await cli(["node", ...argv], {
    signal: controller.signal,
    env,
    onReload: (listener) => {
      hup = listener;
      // Everything is in place once a reload would be heard.
      setImmediate(() => void during({ stop: () => controller.abort({ exit: 143 }), extra, sighup }));
    },
    services: {
      createLogger: async ({ level, format }) => logger(`${level}/${format}`),
      createNode: async (given, more) => {
        options.push(given);
        extra = more;
        return fakeNode({
          id: "hub",
          listening: ["tcp://127.0.0.1:8888"],
          close: async ({ drain } = {}) => void drains.push(drain),
          ...parts,
        });
      },
    },
  });
  return { options, logged, drains, ran };
}

describe("receptor node", () => {
  it("logs that it is ready, drains for 10 s when it is stopped, and ends with 0", async () => {
    const { logged, drains, ran } = await node([], ({ stop }) => stop());
    expect(logged[0]).toEqual({
      fields: { event: "ready", node: "hub", listening: ["tcp://127.0.0.1:8888"], pid: process.pid },
      message: "ready",
      logger: "info/pretty",
    });
    expect(drains).toEqual([10_000]);
    expect(ran).toMatchObject({ exit: 0, stdout: "", stderr: "" });
  });

  it("says that it is ready whatever the log level, but not with --quiet", async () => {
    expect((await node(["--log-level", "error"], ({ stop }) => stop())).logged[0]).toMatchObject({
      message: "ready",
      logger: "info/pretty",
    });
    expect((await node(["--quiet"], ({ stop }) => stop())).logged[0]?.logger).toBe("error/pretty");
  });

  it("logs JSON with --json and with --log-format json", async () => {
    for (const argv of [["--json"], ["--log-format", "json"]])
      expect((await node(argv, ({ stop }) => stop())).logged[0]?.logger).toBe("info/json");
  });

  it("builds its configuration from every flag", async () => {
    const argv =
      "-i hub -l tcp://127.0.0.1:0 -l ws://[::1]:1 -p a:1 -p b:2?cost=3 -g web -g db -d /data --plugin ./p --max-work 3 --http 127.0.0.1:9 --log-level debug --insecure --leaf --drain 0.5";
    const { options, drains } = await node(argv.split(" "), ({ stop }) => stop());
    expect(options).toMatchObject([
      {
        id: "hub",
        listen: ["tcp://127.0.0.1:0", "ws://[::1]:1"],
        peers: ["a:1", "b:2?cost=3"],
        groups: ["web", "db"],
        dataDir: "/data",
        extraPlugins: ["/nowhere/p"],
        work: { maxConcurrent: 3 },
        http: "127.0.0.1:9",
        log: { level: "debug" },
        insecure: true,
        leaf: true,
      },
    ]);
    expect(drains).toEqual([500]);
  });

  it("listens nowhere with --no-listen, and keeps its data in a folder of its id", async () => {
    const { options } = await node(["--no-listen"], ({ stop }) => stop(), {}, { RECEPTOR_NODE_ID: "a" });
    expect(options).toMatchObject([{ listen: [], id: "a", dataDir: "/nowhere/receptor-mesh/a" }]);
  });

  it("ends with the status of what is fatal, without draining", async () => {
    const { ran, drains } = await node([], ({ extra }) =>
      extra.onFatal?.(new MeshError("DUPLICATE_NODE", "another live node has the id hub")),
    );
    expect(ran).toMatchObject({ exit: 78, stderr: "receptor: DUPLICATE_NODE: another live node has the id hub\n" });
    expect(drains).toEqual([0]);
  });

  it("reloads at SIGHUP, goes on where that fails, and reads flags and environment again", async () => {
    let reloads = 0;
    let config: NodeConfig | undefined;
    const reload = async (): Promise<void> => {
      if (++reloads === 2) throw new MeshError("CONFIG_INVALID", "bad");
    };
    const { logged, ran } = await node(
      ["--id", "x"],
      async ({ stop, extra, sighup }) => {
        await sighup();
        await sighup();
        config = await extra.reconfigure?.();
        stop();
      },
      { reload },
    );
    expect(reloads).toBe(2);
    expect(logged.map(({ message }) => message)).toEqual([
      "ready",
      "configuration reloaded",
      "the configuration could not be reloaded; the old one holds",
      "stopping",
    ]);
    expect(config?.id).toBe("x");
    expect(ran.exit).toBe(0);
  });

  it("ends with 78 where the configuration is wrong", async () => {
    const ran = await cli(["node"], { env: { RECEPTOR_LOG_LEVEL: "loud" } });
    expect(ran).toMatchObject({ exit: 78, stderr: expect.stringContaining("receptor: CONFIG_INVALID: RECEPTOR_LOG_LEVEL: ") });
  });
});
