import { describe, expect, it } from "vitest";
import { MeshError } from "../../../../src/core/errors.ts";
import { Bench, isAlive } from "./harness.ts";

const MiB = 2 ** 20;

describe("IsolatedPlugin", () => {
  it.each([
    ["ends its process", "process.exit(3)", /it ended with status 3/],
    ["kills its process", "process.kill(process.pid, 'SIGKILL')", /it was ended by SIGKILL/],
    ["throws where nobody catches", "setTimeout(() => { throw new Error('oh no'); })", /it failed outside of any work: oh no/],
    ["rejects where nobody catches", "void Promise.reject(new Error('oh dear'))", /it failed outside of any work: oh dear/],
    ["breaks the protocol", "fs.writeSync(3, Buffer.alloc(64, 255))", /it broke the protocol/],
    [
      "begins a frame over its limit",
      "const head = Buffer.alloc(9); head.writeUInt32LE(65_536 + 6); fs.writeSync(3, head)",
      /it broke the protocol/,
    ],
    [
      "answers what was not asked",
      "fs.writeSync(3, Buffer.from([5, 0, 0, 0, 32, 0, 0, 0, 0]))",
      /it broke the protocol: an answer to nothing/,
    ],
    ["writes of another's work", "fs.writeSync(3, Buffer.from([5, 0, 0, 0, 39, 9, 9, 0, 0]))", /it broke the protocol: a frame of no work/],
  ])("ends the works of a plugin that %s, with the reason, and goes on in another process", async (_, code, reason) => {
    await using bench = await Bench.open(
      `async wait() { await sleep(60_000); }, async crash() { ${code}; await sleep(60_000); }, async run() { return "fine"; }`,
    );
    const first = bench.plugin.pid;
    const works = [bench.start("wait"), bench.start("crash"), bench.start("wait")];
    for (const { outcome } of works) {
      const { error } = await outcome;
      expect(error).toMatchObject({ code: "WORK_FAILED" });
      expect(error?.message).toMatch(reason);
    }
    expect(await bench.ask("run")).toEqual(["fine"]);
    expect(bench.plugin.pid).not.toBe(first);
    expect(bench.plugin.restarts).toBe(1);
    expect(isAlive(first ?? 0)).toBe(false);
    expect(bench.logged).toContainEqual(expect.objectContaining({ level: "warn", message: "a plugin's process ended" }));
  });

  it("ends what a plugin that crashed had started", async () => {
    await using bench = await Bench.open(
      `async *run() { const { spawn } = await import("node:child_process"); yield spawn("sleep", ["600"]).pid; await sleep(50); process.exit(1); }`,
    );
    const { sink, outcome } = bench.start("run");
    await outcome;
    const pid = Number(sink.responses[0]?.text);
    expect(pid).toBeGreaterThan(1);
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it("keeps what was sent before a crash", async () => {
    await using bench = await Bench.open(`async *run() { yield "one"; yield "two"; await sleep(50); process.exit(1); }`);
    const { sink, outcome } = bench.start("run");
    expect((await outcome).error).toMatchObject({ code: "WORK_FAILED" });
    expect(sink.responses.map(({ text }) => text)).toEqual(["one", "two"]);
  });

  it.each([
    ["its heap", "const all = []; for (;;) { all.push(new Array(10_000).fill(all.length)); if (all.length % 100 === 0) await sleep(1); }"],
    ["buffers", "const all = []; for (;;) { all.push(Buffer.alloc(1024 * 1024, 1)); await sleep(1); }"],
  ])("ends a plugin that fills %s, and says so", async (_, code) => {
    await using bench = await Bench.open(`async leak() { ${code} }, async run() { return "fine"; }`, { memory: 128 * MiB });
    const before = process.memoryUsage().rss;
    const { error } = await bench.start("leak").outcome;
    expect(error).toMatchObject({ code: "WORK_FAILED" });
    expect(error?.message).toMatch(/it needed more memory than its 128 MiB/);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MiB);
    expect(await bench.ask("run")).toEqual(["fine"]);
  });

  it("gives a plugin's heap its limit of memory too, which holds between two looks at what the process has", async () => {
    const heap = `async heap() { return (await import("node:v8")).getHeapStatistics().heap_size_limit; }`;
    await using bench = await Bench.open(heap, { memory: 128 * MiB });
    const limit = Number((await bench.ask("heap"))[0]);
    expect(limit).toBeGreaterThanOrEqual(128 * MiB);
    // The young generation is beside it.
    expect(limit).toBeLessThan(256 * MiB);
  });

  it("ends a plugin in an endless loop once its work was to stop, and the node goes on meanwhile", async () => {
    await using bench = await Bench.open(`async loop() { for (;;); }, async run() { return "fine"; }`, { abortLimit: 500 });
    const { outcome, abort } = bench.start("loop");
    const { outcome: other } = bench.start("run");
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    setTimeout(() => abort(new MeshError("DEADLINE_EXCEEDED", "too long")), 200);
    expect((await outcome).error).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(20);
    expect((await other).error).toMatchObject({
      code: "WORK_FAILED",
      message: expect.stringContaining("did not stop when it was told to"),
    });
    expect(await bench.ask("run")).toEqual(["fine"]);
  });

  it("ends a plugin that goes on after its abort", async () => {
    await using bench = await Bench.open(`async *deaf() { yield "on"; for (;;) await sleep(1_000); }`, { abortLimit: 300 });
    const pid = bench.plugin.pid ?? 0;
    const { outcome, abort, sink } = bench.start("deaf");
    await expect.poll(() => sink.responses.length).toBe(1);
    const at = performance.now();
    abort();
    expect((await outcome).error).toMatchObject({ code: "CANCELLED" });
    expect(performance.now() - at).toBeGreaterThan(290);
    expect(isAlive(pid)).toBe(false);
  });

  it("hands an abort over as the signal, with its reason, and lets the plugin stop by itself", async () => {
    await using bench = await Bench.open(
      `async *run(input, { signal, log }) { yield "on"; await new Promise((go) => signal.addEventListener("abort", go)); log.info({ code: signal.reason.code, why: signal.reason.message }, "told"); }`,
    );
    const { pid } = bench.plugin;
    const { outcome, abort, sink } = bench.start("run");
    await expect.poll(() => sink.responses.length).toBe(1);
    abort(new MeshError("DEADLINE_EXCEEDED", "it took 5 s"));
    expect((await outcome).error).toMatchObject({ code: "DEADLINE_EXCEEDED", message: "it took 5 s" });
    expect(bench.logged).toContainEqual({
      level: "info",
      message: "told",
      fields: expect.objectContaining({ code: "DEADLINE_EXCEEDED", why: "it took 5 s" }),
    });
    expect(bench.plugin.pid).toBe(pid);
  });

  it("ends a work that was aborted before its process was there", async () => {
    await using bench = await Bench.open(`async crash() { process.exit(1); }, async run() { return "fine"; }`);
    await bench.start("crash").outcome;
    const { outcome, abort } = bench.start("run");
    abort();
    expect((await outcome).error).toMatchObject({ code: "CANCELLED" });
    expect(await bench.ask("run")).toEqual(["fine"]);
  });

  it("runs start() with what its schema made of the options, again in each process, and stop() at the end", async () => {
    const more = `options: { parse: (part) => ({ port: part.port + 1 }) }, start(options) { console.log("start " + options.port); }, stop() { console.log("stop"); }`;
    const bench = await Bench.open(
      `async run(input, { options }) { return options; }, async crash() { process.exit(1); }`,
      { part: { port: 1 } },
      more,
    );
    expect(await bench.ask("run")).toEqual(['{"port":2}']);
    await bench.start("crash").outcome;
    expect(await bench.ask("run")).toEqual(['{"port":2}']);
    await bench.plugin.definition.stop?.();
    const lines = bench.logged.map(({ fields }) => fields["stdout"]).filter((line) => line !== undefined);
    expect(lines).toEqual(["start 2", "start 2", "stop"]);
    await bench[Symbol.asyncDispose]();
  });

  it("holds an action to the time of the configuration where that is shorter", async () => {
    await using bench = await Bench.open(
      `run: { deadline: 5_000, async run() {} }, short: { deadline: 10, async run() {} }, free: { async run() {} }`,
      { time: 1_000 },
    );
    const { run, short, free } = bench.plugin.definition.actions;
    expect([run, short, free]).toMatchObject([{ deadline: 1_000 }, { deadline: 10 }, { deadline: 1_000 }]);
  });
});
