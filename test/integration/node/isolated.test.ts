import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { LocalMesh } from "./meshes.ts";

let mesh = new LocalMesh();
afterEach(async () => {
  await mesh.close();
  mesh = new LocalMesh();
});

const MiB = 2 ** 20;

test("a crash of an isolated plugin ends its work with its reason, and nothing else", async () => {
  const folder = mesh.plugin("frail", `{ name: "frail", actions: { async run() { process.abort(); }, async fine() { return "fine"; } } }`);
  const { controller, worker } = await mesh.pair([folder, mesh.echo], { plugins: { frail: { trusted: false }, echo: {} } });
  expect(worker.status().plugins).toMatchObject([
    { name: "frail", version: "1.0.0", actions: ["run", "fine"], isolated: true, restarts: 0 },
    { name: "echo", isolated: false },
  ]);
  const work = await controller.send("worker", "frail:run");
  await expect(work.result()).rejects.toMatchObject({
    code: "WORK_FAILED",
    message: expect.stringMatching(/process of plugin .* was ended by SIGABRT/),
  });
  const fine = await controller.send("worker", "frail:fine");
  for await (const response of fine) expect(response.text()).toBe("fine");
  expect(await fine.result()).toMatchObject({ state: "succeeded" });
  expect(worker.status().plugins).toMatchObject([{ name: "frail", restarts: 1 }, { name: "echo" }]);
  expect(await (await controller.send("worker", "echo:run", "still here")).result()).toMatchObject({ state: "succeeded" });
});

test("a work beyond the configuration's time ends with DEADLINE_EXCEEDED, and its process with it where it does not stop", async () => {
  const folder = mesh.plugin("loop", `{ name: "loop", actions: { async run() { for (;;); }, async fine() { return "fine"; } } }`);
  const { controller } = await mesh.pair([folder], { plugins: { loop: { trusted: false, isolation: { time: "3s" } } } });
  const work = await controller.send("worker", "loop:run");
  const at = performance.now();
  await expect(work.result()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  expect(performance.now() - at).toBeLessThan(12_000);
  expect((await controller.ping("worker")).rtt).toBeLessThan(1_000);
  expect(await (await controller.send("worker", "loop:fine")).result()).toMatchObject({ state: "succeeded" });
});

test("a reader of 10 KiB/s holds an isolated plugin two nodes away, and what waits between them is bounded", async () => {
  const folder = mesh.plugin(
    "spring",
    `{ name: "spring", actions: { async *run() { yield new Readable({ read() { globalThis.made = (globalThis.made ?? 0) + 16384; this.push(Buffer.alloc(16384)); } }); }, async made() { return globalThis.made; } } }`,
  );
  const { controller } = await mesh.pair([folder], { plugins: { spring: { trusted: false } } });
  const work = await controller.send("worker", "spring:run");
  const made = async (): Promise<number> => {
    const asked = await controller.send("worker", "spring:made");
    for await (const response of asked) return Number(response.text());
    return 0;
  };
  const responses = work[Symbol.asyncIterator]();
  const stream = (await responses.next()).value?.stream()[Symbol.asyncIterator]();
  let taken = 0;
  // 10 KiB/s, had the test a minute: some now, and some after a while.
  while (taken < 60 * 1024) {
    const chunk: unknown = (await stream?.next())?.value;
    if (chunk instanceof Uint8Array) taken += chunk.length;
    await wait(400);
  }
  const before = await made();
  await wait(500);
  expect(await made()).toBe(before);
  expect(before).toBeLessThan(taken + 1.5 * MiB);
  await work.cancel();
});

test("a stream goes through an isolated plugin two nodes away and back, whole, while others are answered", async () => {
  const { controller } = await mesh.pair(
    [mesh.echo, mesh.plugin("back", `{ name: "back", actions: { async *run(input) { yield input.stream(); } } }`)],
    {
      plugins: { echo: { trusted: false }, back: { trusted: false } },
    },
  );
  const sent = createHash("sha256");
  function* pieces(): Generator<Buffer> {
    for (let at = 0; at < 512; at++) {
      const piece = Buffer.alloc(32 * 1024, at % 251);
      sent.update(piece);
      yield piece;
    }
  }
  const work = await controller.send("worker", "back:run", Readable.from(pieces(), { objectMode: false }));
  const back = createHash("sha256");
  const reading = (async () => {
    for await (const response of work) for await (const chunk of response.stream()) back.update(chunk as Buffer);
  })();
  const small = await Promise.all(
    Array.from({ length: 50 }, async (_, at) => {
      const one = await controller.send("worker", "echo:run", `hello ${at}`);
      for await (const response of one) return response.text();
      return undefined;
    }),
  );
  expect(small).toEqual(Array.from({ length: 50 }, (_, at) => `hello ${at}`));
  await reading;
  expect(await work.result()).toMatchObject({ state: "succeeded" });
  expect(back.digest("hex")).toBe(sent.digest("hex"));
});
