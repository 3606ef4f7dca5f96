import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MeshNode, Work } from "receptor-mesh";
import { until, within } from "../../support/mesh.ts";
import { failure, inState, isWell, LocalMesh, SOON, texts, watchMemory } from "./meshes.ts";

/** All this holds of plugins in the node's process, and, imported by isolated-work.test.ts, of plugins in processes of their own. */
const ISOLATED = process.env["ISOLATED_PLUGINS"] === "1";
const PLUGINS = ISOLATED ? { try: { trusted: false }, echo: { trusted: false } } : { try: {}, echo: {} };
const KiB = 1024;
const MiB = 1024 * KiB;

const TRY = `{
  name: "try",
  actions: {
    async *many(input) { const { count } = await input.json(); for (let n = 1; n <= count; n++) yield n; },
    async *breaks() { yield "one"; yield "two"; throw Object.assign(new Error("it broke"), { exitCode: 7 }); },
    async *endless(input, context) { yield "begun"; await new Promise((_, reject) => context.signal.addEventListener("abort", () => reject(context.signal.reason))); },
    hurried: { deadline: 100, async *run(input, context) { await new Promise((_, reject) => context.signal.addEventListener("abort", () => reject(context.signal.reason))); } },
    async *stubborn() { yield "begun"; await new Promise((resolve) => setTimeout(resolve, 7_000)); },
    async *bytes() { yield new Uint8Array([0xff, 0xfe, 0x00, 0x80]); },
    async *large() { yield "y".repeat(5 * 1024 * 1024); },
    async *streamed(input) {
      const { size } = await input.json();
      const block = Buffer.alloc(64 * 1024, 7);
      yield Readable.from((function* () { for (let at = 0; at < size; at += block.length) yield block; })());
      yield "after";
    },
    async *torn() { yield Readable.from((async function* () { yield Buffer.from("half"); throw new Error("torn"); })()); },
    async *channels(input, context) { yield "out"; yield context.respond("err", "stderr"); yield context.respond({ a: 1 }, "facts"); },
    async *nonsense() { yield 1n; },
    async nothing() {},
    async size(input) { return { size: (await input.bytes()).length }; },
    single: { concurrency: 1, async *run(input, context) {
      globalThis.trySingle = (globalThis.trySingle ?? 0) + 1;
      yield globalThis.trySingle;
      await new Promise((resolve) => setTimeout(resolve, 20));
      globalThis.trySingle -= 1;
    } },
  },
}`;

let mesh: LocalMesh;
let controller: MeshNode;
let worker: MeshNode;

beforeEach(async () => {
  mesh = new LocalMesh();
  ({ controller, worker } = await mesh.pair([mesh.echo, mesh.plugin("try", TRY)], {
    plugins: PLUGINS,
    work: { maxConcurrent: 2, queue: 3 },
  }));
});

afterEach(async () => {
  await mesh.close();
});

const send = async (action: string, payload?: Parameters<MeshNode["send"]>[2], options?: Parameters<MeshNode["send"]>[3]): Promise<Work> =>
  await controller.send("worker", `try:${action}`, payload, options);

/** What was read before the work failed, and how it failed. */
async function readToFailure(
  work: Work,
  code: Parameters<typeof failure>[1],
): Promise<{ readonly seen: string[]; readonly message: string; readonly exitCode: unknown }> {
  const seen: string[] = [];
  const error = await failure(
    (async () => {
      for await (const response of work) seen.push(response.text());
    })(),
    code,
  );
  return { seen, message: error.message, exitCode: error.data["exitCode"] };
}

describe("responses", () => {
  test("a million come in order, in bounded memory", async () => {
    const count = 1_000_000;
    const memory = watchMemory();
    const work = await send("many", { count });
    let expected = 0;
    for await (const response of work) {
      expected++;
      if (response.serial !== expected || (expected % 10_000 === 0 && response.text() !== String(expected)))
        throw new Error(`response ${response.serial} came as number ${expected}`);
    }
    expect(expected).toBe(count);
    expect((await work.result()).responses).toBe(count);
    expect(memory.stop()).toBeLessThan(150 * MiB);
    await isWell(controller, worker);
  });

  test("that nobody reads hold up nothing where only the result is asked for", async () => {
    expect(await (await send("many", { count: 200_000 })).result()).toEqual({
      state: "succeeded",
      responses: 200_000,
      exitCode: undefined,
    });
    await isWell(controller, worker);
  });

  test("of two readers each go to one of them, and both end", async () => {
    const work = await controller.send("worker", "echo:count", { count: 40, interval: 5 });
    const read = await within(Promise.all([texts(work), texts(work)]), SOON, "both readers end");
    expect(
      read
        .flat()
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
  });

  test("keep bytes that are no UTF-8", async () => {
    for await (const response of await send("bytes")) {
      expect([...response.bytes()]).toEqual([0xff, 0xfe, 0x00, 0x80]);
      expect(response.payload).toBeInstanceOf(Uint8Array);
      expect(() => response.json()).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
    await isWell(controller, worker);
  });

  test("of 5 MB in one string come whole", async () => {
    const [text] = await texts(await send("large"));
    expect(text?.length).toBe(5 * MiB);
    await isWell(controller, worker);
  });

  test("have channels", async () => {
    const seen: unknown[] = [];
    for await (const { channel, payload, serial } of await send("channels")) seen.push([serial, channel, payload]);
    expect(seen).toEqual([
      [1, undefined, "out"],
      [2, "stderr", "err"],
      [3, "facts", { a: 1 }],
    ]);
  });
});

describe("a streamed response", () => {
  test("of 50 MB waits for a slow reader in bounded memory", async () => {
    const size = 50 * MiB;
    const memory = watchMemory();
    const hash = createHash("sha256");
    let bytes = 0;
    let others: string | undefined;
    for await (const response of await send("streamed", { size })) {
      if (response.serial === 2) {
        others = response.text();
        continue;
      }
      expect(response.payload).toBeUndefined();
      expect(() => response.bytes()).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      let turns = 0;
      for await (const chunk of response.stream()) {
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        if (++turns % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    expect([bytes, others]).toEqual([size, "after"]);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(Buffer.alloc(size, 7)).digest("hex"));
    expect(memory.stop()).toBeLessThan(100 * MiB);
    await isWell(controller, worker);
  });

  test("that its reader leaves is dropped, and the next response comes", async () => {
    const seen: unknown[] = [];
    for await (const response of await send("streamed", { size: 20 * MiB })) {
      seen.push(response.serial);
      if (response.serial > 1) continue;
      for await (const chunk of response.stream()) {
        expect(chunk).toBeDefined();
        break;
      }
    }
    expect(seen).toEqual([1, 2]);
    await isWell(controller, worker);
  });

  test("that nobody opens is dropped", async () => {
    expect((await (await send("streamed", { size: 20 * MiB })).result()).responses).toBe(2);
    expect((await texts(await controller.send("worker", "echo:count", { count: 1 }))).length).toBe(1);
    await isWell(controller, worker);
  });

  test("whose source fails ends with an error for its reader, and fails the work", async () => {
    const work = await send("torn");
    await expect(
      (async () => {
        for await (const response of work) for await (const chunk of response.stream()) expect(String(chunk)).toBe("half");
      })(),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^(STREAM_INCOMPLETE|WORK_FAILED)$/) });
    expect((await failure(work.result(), "WORK_FAILED")).message).toContain("torn");
    await isWell(controller, worker);
  });
});

describe("a plugin", () => {
  test("that throws in the middle: what it said before arrives, then its message and exit code, and no stack", async () => {
    const read = await readToFailure(await send("breaks"), "WORK_FAILED");
    expect(read).toEqual({ seen: ["one", "two"], message: "it broke", exitCode: 7 });
    await isWell(controller, worker);
  });

  test("that yields what is no response fails", async () => {
    await failure((await send("nonsense")).result(), "WORK_FAILED");
    await isWell(controller, worker);
  });

  test("that returns nothing succeeds without a response", async () => {
    expect((await (await send("nothing")).result()).responses).toBe(0);
  });

  test("that never ends is ended by the sender's deadline", async () => {
    const read = await readToFailure(await send("endless", "", { deadline: 200 }), "DEADLINE_EXCEEDED");
    expect(read.seen).toEqual(["begun"]);
    await isWell(controller, worker);
  });

  test("that never ends is ended by its own deadline", async () => {
    await failure((await send("hurried")).result(), "DEADLINE_EXCEEDED");
    await isWell(controller, worker);
  });

  test("that ignores its abort is reported; its sender is told, and the node runs on", async () => {
    const work = await send("stubborn");
    await inState(work, "running");
    const cancelled = work.cancel();
    expect(await texts(await controller.send("worker", "echo:run", "still here"))).toEqual(["still here"]);
    await within(cancelled, SOON, "the sender is told");
    await failure(work.result(), "CANCELLED");
    await until(() => (worker.status().work.length === 0 ? true : undefined), SOON, "it is no work any more");
    // A process is ended with the work; a place in the node's own is taken until the plugin stops.
    expect((await controller.ping("worker")).work.running).toBe(ISOLATED ? 0 : 1);
    await until(
      async () => ((await controller.ping("worker")).work.running === 0 ? true : undefined),
      SOON,
      "its place is free once it stops",
    );
    await isWell(controller, worker);
  });
});

describe("the queue", () => {
  test("refuses with BUSY and the numbers what it does not hold, and runs what it holds", async () => {
    const running = await Promise.all([send("endless"), send("endless")]);
    const waiting = await Promise.all([1, 2, 3].map((n) => controller.send("worker", "echo:run", String(n))));
    const error = await failure(controller.send("worker", "echo:run", "4"), "BUSY");
    expect(error.data).toMatchObject({ running: 2, queued: 3 });
    expect(waiting.map(({ state }) => state)).toEqual(["queued", "queued", "queued"]);
    expect((await controller.ping("worker")).work).toEqual({ running: 2, queued: 3 });
    await waiting[0]?.cancel();
    await Promise.all(running.map((work) => work.cancel()));
    expect(await Promise.all(waiting.slice(1).map(texts))).toEqual([["2"], ["3"]]);
    await isWell(controller, worker);
  });

  test("keeps an action to its own concurrency", async () => {
    const works = await Promise.all([send("single"), send("single"), send("single")]);
    expect(await Promise.all(works.map(texts))).toEqual([["1"], ["1"], ["1"]]);
    await isWell(controller, worker);
  });
});

describe("a payload", () => {
  test.each([0, 1, 16 * KiB, 16 * KiB + 1, 1 * MiB])("of %i bytes arrives whole", async (size) => {
    const [answer] = await texts(await send("size", new Uint8Array(size)));
    expect(JSON.parse(answer ?? "")).toEqual({ size });
  });

  test("that a plugin does not read holds up nothing", async () => {
    expect((await (await send("nothing", new Uint8Array(3 * MiB))).result()).responses).toBe(0);
    await isWell(controller, worker);
  });

  test("may be an iterator, as a generator function returns it", async () => {
    function* source(): Generator<Uint8Array> {
      for (let i = 0; i < 48; i++) yield new Uint8Array(65_536);
    }
    const [answer] = await texts(await send("size", source()));
    expect(JSON.parse(answer ?? "")).toEqual({ size: 3 * MiB });
    await failure((await send("size", [1, 2].values() as never)).result(), "INVALID_ARGUMENT");
    await isWell(controller, worker);
  });

  test("whose source fails cancels the work with the source's own words", async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      throw Object.assign(new Error("the disk is gone"), { code: "EIO" });
    }
    const work = await send("size", source());
    expect((await failure(work.result(), "PAYLOAD_UNREADABLE")).message).toContain("the disk is gone");
    await isWell(controller, worker);
  });
});
