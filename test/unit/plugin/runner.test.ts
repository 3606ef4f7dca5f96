import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import type { Context, Input } from "../../../src/plugin/definition.ts";
import { SlowSink, start } from "./sinks.ts";

describe("runAction", () => {
  it("sends each yield of a generator as one response, by its kind", async () => {
    const sink = new SlowSink();
    const run = start(async function* () {
      yield "text";
      yield new Uint8Array([0x68, 0x69]);
      yield { a: 1 };
      yield [1, 2];
      yield 7;
      yield null;
      yield false;
    }, sink);
    expect(await run.outcome).toEqual({});
    expect(sink.taken).toEqual(["text: text", "bytes: hi", 'json: {"a":1}', "json: [1,2]", "json: 7", "json: null", "json: false"]);
  });

  it.each(["", "a", "a".repeat(341), "a".repeat(342), "€".repeat(341), "€".repeat(342), "😀é".repeat(113), "\ud800", "a".repeat(5_000)])(
    "sends a text as it is, whatever its length and its characters (%#)",
    async (text) => {
      const sink = new SlowSink();
      const run = start(async () => text, sink);
      expect(await run.outcome).toEqual({});
      expect(sink.taken).toEqual([`text: ${Buffer.from(text).toString()}`]);
    },
  );

  it.each([
    ["a promise of a value", async () => "one", ["text: one"]],
    ["a promise of nothing", async () => undefined, []],
    ["a plain value", () => ({ a: 1 }), ['json: {"a":1}']],
    ["a list, which is one response", () => [1, 2], ["json: [1,2]"]],
    [
      "a stream, which is one response",
      () => Readable.from([Buffer.from("a"), Buffer.from("b")]),
      ["begin", "chunk: a", "chunk: b", "finish"],
    ],
    ["a promise of a stream", async () => Readable.from(["a"]), ["begin", "chunk: a", "finish"]],
    [
      "a plain generator",
      function* () {
        yield 1;
        yield 2;
      },
      ["json: 1", "json: 2"],
    ],
    [
      "a promise of a plain generator",
      async () =>
        (function* () {
          yield 1;
          yield "two";
        })(),
      ["json: 1", "text: two"],
    ],
    [
      "a promise of a generator",
      async () =>
        (async function* () {
          yield 1;
        })(),
      ["json: 1"],
    ],
  ])("takes %s", async (_, action, expected) => {
    const sink = new SlowSink();
    expect(await start(action, sink).outcome).toEqual({});
    expect(sink.taken).toEqual(expected);
  });

  it("sends on channels what respond() made, and plain objects of that shape as JSON", async () => {
    const sink = new SlowSink();
    const run = start(async function* (_: Input, context: Context) {
      yield context.respond("oops", "stderr");
      yield context.respond(Readable.from(["x"]), "stdout");
      yield { payload: "oops", channel: "stderr" };
    }, sink);
    expect(await run.outcome).toEqual({});
    expect(sink.taken).toEqual(["text stderr: oops", "begin stdout", "chunk: x", "finish", 'json: {"payload":"oops","channel":"stderr"}']);
  });

  it("gives the action its context", async () => {
    const sink = new SlowSink();
    const run = start(
      async (_: Input, { id, node, sender, plugin, action, headers, options }: Context) => ({
        id,
        node,
        sender,
        plugin,
        action,
        headers,
        options,
      }),
      sink,
    );
    await run.outcome;
    expect(JSON.parse(String(sink.taken[0]).slice("json: ".length))).toEqual({
      id: "0190163d-8694-739b-aea5-966c26f8ad91",
      node: "worker",
      sender: "controller",
      plugin: "greet",
      action: "run",
      headers: { a: "b" },
      options: { port: 1 },
    });
  });

  it.each([
    [
      "a bad channel",
      (_: Input, context: Context) => context.respond("x", "Std Err"),
      "INVALID_ARGUMENT",
      '"Std Err" is no channel: use 1 to 32 characters of a-z 0-9 -',
    ],
    ["a function", () => () => 1, "WORK_FAILED", "a response is text, bytes, a stream or JSON, and not a value of type function"],
    ["an endless value", () => ({ size: 1n }), "WORK_FAILED", "Do not know how to serialize a BigInt"],
    ["a stream of objects", () => Readable.from([{ a: 1 }]), "WORK_FAILED", "a streamed response yields bytes or text"],
  ])("fails a work that answers with %s", async (_, action, code, message) => {
    const { error } = await start(action, new SlowSink()).outcome;
    expect(error).toMatchObject({ code, message });
  });

  it("keeps what was sent before the plugin threw, and tells code and message but no stack", async () => {
    const sink = new SlowSink();
    const run = start(async function* () {
      yield "one";
      throw Object.assign(new TypeError("no such thing"), { code: "ENOENT", exitCode: 7 });
    }, sink);
    const { error, exitCode } = await run.outcome;
    expect(sink.taken).toEqual(["text: one"]);
    expect(exitCode).toBe(7);
    expect(error?.toJSON()).toEqual({ code: "WORK_FAILED", message: "no such thing", data: { code: "ENOENT" } });
  });

  it("fails a work whose action throws before its first await", async () => {
    const { error } = await start(() => {
      throw new Error("at once");
    }, new SlowSink()).outcome;
    expect(error).toMatchObject({ code: "WORK_FAILED", message: "at once" });
  });

  it("lets a stream that breaks fail the work, and never says that it is whole", async () => {
    const sink = new SlowSink();
    const stream = new Readable({ read: () => undefined });
    stream.push("a");
    const run = start(async () => stream, sink);
    await expect.poll(() => sink.taken).toContain("chunk: a");
    stream.destroy(new Error("disk gone"));
    expect((await run.outcome).error).toMatchObject({ code: "WORK_FAILED", message: "disk gone" });
    expect(sink.taken).toEqual(["begin", "chunk: a"]);
  });
});

describe("runAction, back-pressure", () => {
  it("pulls nothing while the sink is full", async () => {
    let made = 0;
    const sink = new SlowSink(3);
    const run = start(async function* () {
      for (;;) yield ++made;
    }, sink);
    await expect.poll(() => sink.isWaitedFor).toBe(true);
    for (let i = 0; i < 20; i++) await turn();
    expect(made).toBe(3);
    sink.take(2);
    await expect.poll(() => made).toBe(5);
    expect(sink.overrun).toBe(0);
    run.abort();
    await run.outcome;
  });

  it("sends 100,000 responses to a slow sink, never more than it has room for", async () => {
    let made = 0;
    const sink = new SlowSink(1_000);
    const run = start(async function* () {
      while (made < 100_000) yield ++made;
    }, sink);
    let farthest = 0;
    let seen = 0;
    while (seen < 100_000) {
      await turn();
      farthest = Math.max(farthest, made - seen);
      const taken = sink.taken.splice(0).length;
      seen += taken;
      sink.take(taken);
    }
    expect(await run.outcome).toEqual({});
    expect(made).toBe(100_000);
    expect(farthest).toBeLessThanOrEqual(1_000);
    expect(sink.overrun).toBe(0);
  });

  it("reads a streamed response no faster than the sink takes it", async () => {
    let made = 0;
    const stream = new Readable({
      highWaterMark: 1,
      read() {
        made++;
        this.push("x");
      },
    });
    const sink = new SlowSink(4);
    const run = start(async () => stream, sink);
    await expect.poll(() => sink.isWaitedFor).toBe(true);
    for (let i = 0; i < 20; i++) await turn();
    expect(made).toBeLessThan(10);
    run.abort();
    expect((await run.outcome).error?.code).toBe("CANCELLED");
    expect(stream.destroyed).toBe(true);
  });

  it("leaves the event loop to others while a plugin yields without end", async () => {
    const run = start(async function* () {
      for (;;) yield 1;
    }, new SlowSink());
    let longest = 0;
    let last = performance.now();
    for (let i = 0; i < 10; i++) {
      await turn();
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    run.abort();
    await run.outcome;
    // 5 ms each; a busy machine takes longer, a loop without end would never come back.
    expect(longest).toBeLessThan(500);
  });
});

describe("runAction, abort", () => {
  it("ends an endless generator at its next yield, runs its finally, and tells the reason", async () => {
    let cleaned = false;
    const run = start(async function* () {
      try {
        for (;;) yield await turn("x");
      } finally {
        await turn();
        cleaned = true;
      }
    }, new SlowSink());
    await turn();
    run.abort(new MeshError("DEADLINE_EXCEEDED", "too late"));
    expect((await run.outcome).error).toMatchObject({ code: "DEADLINE_EXCEEDED", message: "too late" });
    expect(cleaned).toBe(true);
  });

  it("sends nothing after the abort", async () => {
    const sink = new SlowSink();
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const run = start(async function* () {
      await gate;
      yield "late";
    }, sink);
    run.abort();
    release();
    expect((await run.outcome).error?.code).toBe("CANCELLED");
    expect(sink.taken).toEqual([]);
  });

  it("ends an endless plain generator, which had its pauses, and runs its finally", async () => {
    let cleaned = false;
    const sink = new SlowSink();
    const run = start(function* () {
      try {
        for (;;) yield "x";
      } finally {
        cleaned = true;
      }
    }, sink);
    await turn();
    run.abort();
    expect((await run.outcome).error?.code).toBe("CANCELLED");
    expect(cleaned).toBe(true);
    expect(sink.taken.length).toBeGreaterThan(1);
  });

  it("pulls nothing from a plain generator while there is no room", async () => {
    const sink = new SlowSink(2);
    const run = start(function* () {
      for (let i = 0; i < 4; i++) yield i;
    }, sink);
    await expect.poll(() => sink.isWaitedFor).toBe(true);
    expect(sink.taken).toEqual(["json: 0", "json: 1"]);
    sink.take(10);
    expect(await run.outcome).toEqual({});
    expect([sink.taken.length, sink.overrun]).toEqual([4, 0]);
  });

  it("does not wait for room in the sink of an aborted work", async () => {
    const sink = new SlowSink(1);
    const run = start(async function* () {
      for (;;) yield "x";
    }, sink);
    await expect.poll(() => sink.isWaitedFor).toBe(true);
    run.abort();
    expect((await run.outcome).error?.code).toBe("CANCELLED");
  });

  it("settles only when the plugin's code has ended, however long it ignores its signal", async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const run = start(() => gate, new SlowSink());
    let settled = false;
    void run.outcome.then(() => (settled = true));
    run.abort();
    for (let i = 0; i < 20; i++) await turn();
    expect(settled).toBe(false);
    release();
    expect((await run.outcome).error?.code).toBe("CANCELLED");
  });

  it("wakes an iterator that waits in next() and ends at return()", async () => {
    let wake: (step: IteratorResult<string>) => void = () => undefined;
    const iterator = {
      next: () => new Promise<IteratorResult<string>>((resolve) => (wake = resolve)),
      return: () => {
        wake({ done: true, value: undefined });
        return Promise.resolve({ done: true as const, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
    const run = start(() => iterator, new SlowSink());
    await turn();
    run.abort();
    expect((await run.outcome).error?.code).toBe("CANCELLED");
  });

  it("hands the plugin the reason through its signal", async () => {
    let reason: unknown;
    const run = start(
      (_: Input, { signal }: Context) =>
        new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            resolve();
          });
        }),
      new SlowSink(),
    );
    await turn();
    run.abort(new MeshError("DEADLINE_EXCEEDED", "too late"));
    await run.outcome;
    expect(reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });
});
