import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { definePlugin } from "../../../src/plugin/definition.ts";
import { testPlugin } from "../../../src/plugin/test-plugin.ts";

const greet = definePlugin({
  name: "greet",
  options: {
    parse(value: unknown) {
      const greeting = typeof value === "object" && value !== null && "greeting" in value ? value.greeting : "hello";
      if (typeof greeting !== "string") throw new TypeError("greeting is text");
      return { greeting };
    },
  },
  actions: {
    async *run(input, context) {
      yield `${context.options.greeting} ${await input.text()} ${context.headers["title"] ?? ""}`.trim();
      yield context.respond(Readable.from(["a", "b"]), "more");
    },
    json: async (input) => ({ got: await input.json() }),
    fail: () => Promise.reject(Object.assign(new Error("no"), { exitCode: 4 })),
    wait: (_, { signal }) => new Promise((_done, fail) => signal.addEventListener("abort", () => fail(new Error("stopped")))),
  },
});

describe("testPlugin", () => {
  it("gathers the responses of an action", async () => {
    const { responses, result } = await testPlugin(greet, { options: { greeting: "hi" }, headers: { title: "sir" } }).run("run", "you");
    expect(responses.map(({ serial, channel, streamed }) => [serial, channel, streamed])).toEqual([
      [1, undefined, false],
      [2, "more", true],
    ]);
    expect(responses.map((response) => response.text())).toEqual(["hi you sir", "ab"]);
    expect(result).toEqual({ state: "succeeded", error: undefined, code: undefined, exitCode: undefined });
  });

  it.each([
    ["JSON", { a: 1 }],
    ["a stream", Readable.from(['{"a":', "1}"])],
    ["bytes", new TextEncoder().encode('{"a":1}')],
  ])("sends %s", async (_, payload) => {
    const { responses } = await testPlugin(greet).run("json", payload);
    expect(responses[0]?.payload).toEqual({ got: { a: 1 } });
  });

  it("hands on bytes that are not UTF-8 as they are", async () => {
    const bytes = new Uint8Array([0xff, 0x00, 0xc3, 0x28]);
    const plugin = definePlugin({ name: "raw", actions: { whole: async () => bytes, streamed: async () => Readable.from([bytes]) } });
    for (const action of ["whole", "streamed"]) {
      const { responses } = await testPlugin(plugin).run(action);
      expect([...(responses[0]?.bytes() ?? [])]).toEqual([...bytes]);
    }
  });

  it("tells a failure instead of throwing it", async () => {
    const { responses, result } = await testPlugin(greet).run("fail");
    expect(responses).toEqual([]);
    expect(result).toMatchObject({ state: "failed", code: "WORK_FAILED", error: { message: "no" }, exitCode: 4 });
  });

  it("cancels with the signal", async () => {
    const abort = new AbortController();
    const run = testPlugin(greet).run("wait", "", { signal: abort.signal });
    abort.abort();
    expect((await run).result).toMatchObject({ state: "cancelled", code: "CANCELLED" });
  });

  it("yields responses one by one, makes no more than are taken, and ends the work that is left", async () => {
    let made = 0;
    let ended = false;
    const endless = definePlugin({
      name: "endless",
      actions: {
        async *run() {
          try {
            for (;;) yield ++made;
          } finally {
            ended = true;
          }
        },
      },
    });
    for await (const { payload } of testPlugin(endless).responses("run")) if (payload === 3) break;
    expect(made).toBeLessThanOrEqual(4);
    await expect.poll(() => ended).toBe(true);
  });

  it("throws the failure after the responses, with the exit status", async () => {
    const seen: unknown[] = [];
    const plugin = definePlugin({
      name: "it",
      actions: {
        async *run() {
          yield "one";
          throw Object.assign(new Error("no"), { exitCode: 4 });
        },
      },
    });
    const reading = async (): Promise<void> => {
      for await (const { payload } of testPlugin(plugin).responses("run")) seen.push(payload);
    };
    await expect(reading()).rejects.toMatchObject({ code: "WORK_FAILED", message: "no", exitCode: 4 });
    expect(seen).toEqual(["one"]);
  });

  it("throws where the plugin, its options or the action is wrong", async () => {
    expect(() => testPlugin({ name: "Bad Name", actions: {} })).toThrow("is no plugin name");
    expect(() => testPlugin(greet, { options: { greeting: 7 } })).toThrow("greeting is text");
    await expect(testPlugin(greet).run("gone")).rejects.toMatchObject({ code: "UNKNOWN_ACTION" });
  });
});
