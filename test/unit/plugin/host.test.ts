import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { MessageId } from "../../../src/core/ids.ts";
import { messageId, nodeId } from "../../../src/core/ids.ts";
import { WorkAbort } from "../../../src/plugin/abort.ts";
import { factsOf } from "../../../src/plugin/check.ts";
import type { Outcome } from "../../../src/plugin/contract.ts";
import type { PluginDefinition } from "../../../src/plugin/definition.ts";
import { failureOf } from "../../../src/plugin/failure.ts";
import { PluginHost, type ReadyPlugin } from "../../../src/plugin/host.ts";
import { Readable } from "node:stream";
import { ID, SlowSink } from "./sinks.ts";
import { MeshError } from "../../../src/core/errors.ts";

const OTHER = messageId("0190163d-8694-739b-aea5-966c26f8ad92");

function ready(run: () => Promise<string>): ReadyPlugin {
  const definition: PluginDefinition = { name: "greet", actions: { run } };
  return { definition, options: {}, facts: factsOf(definition, "1.0.0") };
}

function open(): { host: PluginHost; ended: [MessageId, Outcome][]; start: (sink: SlowSink, action?: string, id?: MessageId) => void } {
  const ended: [MessageId, Outcome][] = [];
  const host = new PluginHost({ node: nodeId("worker"), onEnded: ({ id }, outcome) => ended.push([id, outcome]) });
  const start = (sink: SlowSink, action = "run", id = ID): void => {
    host.start({
      id,
      plugin: "greet",
      action,
      sender: nodeId("a"),
      headers: {},
      input: { inline: new Uint8Array(0), stream: Readable.from([]) },
      sink,
      abort: new WorkAbort(),
    });
  };
  return { host, ended, start };
}

describe("PluginHost", () => {
  it("lets a work finish on the code that it began with", async () => {
    const { host, ended, start } = open();
    let release: (answer: string) => void = () => undefined;
    const old = ready(() => new Promise((resolve) => (release = resolve)));
    host.setPlugins(new Map([["greet", old]]));
    const sink = new SlowSink();
    start(sink);
    host.setPlugins(new Map([["greet", ready(async () => "new")]]));
    let drained = false;
    void host.drained(old.definition).then(() => (drained = true));
    await turn();
    expect([drained, ended.length]).toEqual([false, 0]);
    release("old");
    await expect.poll(() => ended).toEqual([[ID, {}]]);
    expect(sink.taken).toEqual(["text: old"]);
    await expect.poll(() => drained).toBe(true);
  });

  it("is not drained while a second work runs on the same plugin", async () => {
    const { host, ended, start } = open();
    const releases: ((answer: string) => void)[] = [];
    const plugin = ready(() => new Promise((resolve) => releases.push(resolve)));
    host.setPlugins(new Map([["greet", plugin]]));
    start(new SlowSink());
    start(new SlowSink(), "run", OTHER);
    let drained = false;
    void host.drained(plugin.definition).then(() => (drained = true));
    releases[0]?.("one");
    await expect.poll(() => ended).toHaveLength(1);
    await turn();
    expect(drained).toBe(false);
    releases[1]?.("two");
    await expect.poll(() => drained).toBe(true);
  });

  it("is drained at once where nothing runs", async () => {
    const { host } = open();
    await host.drained(ready(async () => "x").definition);
  });

  it("ends a work whose plugin or action is gone, and never before start() returned", async () => {
    const { ended, start, host } = open();
    start(new SlowSink());
    expect(ended).toEqual([]);
    await expect.poll(() => ended).toMatchObject([[ID, { error: { code: "UNKNOWN_ACTION" } }]]);
    host.setPlugins(new Map([["greet", ready(async () => "x")]]));
    start(new SlowSink(), "toString");
    await expect.poll(() => ended).toHaveLength(2);
  });
});

describe("failureOf", () => {
  const hostile = Object.defineProperty({}, "message", {
    get() {
      throw new Error("ha");
    },
  });
  it.each([
    ["an error", new Error("no"), { code: "WORK_FAILED", message: "no" }],
    ["an error of one of our codes", Object.assign(new Error("no"), { code: "DENIED" }), { code: "DENIED", message: "no" }],
    [
      "a system error",
      Object.assign(new Error("no"), { code: "ENOENT" }),
      { code: "WORK_FAILED", message: "no", data: { code: "ENOENT" } },
    ],
    ["a MeshError", new MeshError("TOO_LARGE", "big", { data: { limit: 1 } }), { code: "TOO_LARGE", message: "big", data: { limit: 1 } }],
    ["a string", "no", { code: "WORK_FAILED", message: "no" }],
    ["nothing", undefined, { code: "WORK_FAILED", message: "the plugin failed without a message" }],
    ["an object without a prototype", Object.create(null), { code: "WORK_FAILED", message: "the plugin failed without a message" }],
    ["something whose properties throw", hostile, { code: "WORK_FAILED", message: "the plugin failed without a message" }],
    ["a novel", new Error("x".repeat(5_000)), { code: "WORK_FAILED", message: "x".repeat(1_000) }],
  ])("tells of %s", (_, thrown, expected) => {
    expect(failureOf(thrown).error.toJSON()).toEqual(expected);
  });

  it("keeps a whole exit code, and no other", () => {
    expect(failureOf({ exitCode: 3 }).exitCode).toBe(3);
    expect("exitCode" in failureOf({ exitCode: "3" })).toBe(false);
    expect("exitCode" in failureOf({ exitCode: 0.5 })).toBe(false);
  });
});
