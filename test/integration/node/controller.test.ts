import { createHash } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createNode, type MeshNode, type Response } from "receptor-mesh";
import { until, within } from "../../support/mesh.ts";
import { failure, inState, isWell, LocalMesh, SOON, texts, watchMemory } from "./meshes.ts";

const MiB = 1024 * 1024;

const TALK = `{
  name: "talk",
  actions: {
    async *back(input) { for await (const chunk of input.stream()) yield chunk; },
    async *wait(input, context) {
      yield "begun";
      await new Promise((_, reject) => context.signal.addEventListener("abort", () => reject(context.signal.reason)));
    },
    headers: async (input, context) => ({ ...context.headers, sender: context.sender }),
    async *pour() {
      const { Readable } = await import("node:stream");
      yield Readable.from((function* () { for (;;) yield Buffer.alloc(65536); })());
    },
    async *spill() { for (let n = 0; n < 64; n++) yield "x".repeat(40_000); },
  },
}`;

let mesh: LocalMesh;
let controller: MeshNode;
let relay: MeshNode;
let worker: MeshNode;

beforeEach(async () => {
  mesh = new LocalMesh();
  ({ controller, relay, worker } = await mesh.line([mesh.echo, mesh.plugin("talk", TALK)]));
});

afterEach(async () => {
  await mesh.close();
});

describe("a controller", () => {
  test("is ten lines: text goes out, text comes back", async () => {
    await using node = await createNode({ id: "ten-lines", listen: [], peers: [...relay.listening], plugins: {} });
    await node.reachable("worker", { timeout: 5_000 });
    const work = await node.send("worker", "echo:run", "hello", { ttl: 60_000, durable: false });
    expect(await texts(work)).toEqual(["hello"]);
    expect(await work.result()).toEqual({ state: "succeeded", responses: 1, exitCode: undefined });
    expect(work.node).toBe("worker");
  });

  test("sends JSON as JSON", async () => {
    const work = await controller.send("worker", "echo:count", { count: 3 });
    const values: unknown[] = [];
    for await (const response of work) values.push([response.serial, response.json(), response.payload]);
    expect(values).toEqual([
      [1, 1, 1],
      [2, 2, 2],
      [3, 3, 3],
    ]);
  });

  test("sends 200 MB through a relay in constant memory", async () => {
    const total = 200 * MiB;
    const block = Buffer.alloc(MiB, "0123456789abcdef");
    const expected = createHash("sha256");
    async function* blocks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < total; at += MiB) {
        block.writeUInt32BE(at, 0);
        expected.update(block);
        yield Buffer.from(block);
      }
    }
    const memory = watchMemory();
    const work = await controller.send("worker", "echo:sink", Readable.from(blocks()));
    const [answer] = await texts(work);
    expect(JSON.parse(answer ?? "")).toEqual({ bytes: total, sha256: expected.digest("hex") });
    expect(memory.stop()).toBeLessThan(100 * MiB);
    await isWell(controller, worker);
  });

  test("keeps its input open while it reads responses", async () => {
    const work = await controller.send("worker", "talk:back", "first", { input: "open" });
    const reader = work[Symbol.asyncIterator]();
    const next = async (): Promise<string> => {
      const { value, done } = await within(Promise.resolve(reader.next()), SOON, "a response to what was typed");
      return done === true ? "done" : value.text();
    };
    expect(await next()).toBe("first");
    for (const line of ["second", "third"]) {
      work.input?.write(line);
      expect(await next()).toBe(line);
    }
    work.input?.end();
    expect(await next()).toBe("done");
    expect((await work.result()).responses).toBe(3);
  });

  test("sends headers, and is named as the sender", async () => {
    const [answer] = await texts(await controller.send("worker", "talk:headers", undefined, { headers: { trace: "t-1" } }));
    expect(JSON.parse(answer ?? "")).toEqual({ trace: "t-1", sender: "controller" });
  });
});

describe("Work.cancel", () => {
  test("reaches the plugin, and what reads the work is told CANCELLED", async () => {
    const work = await controller.send("worker", "talk:wait");
    await inState(work, "running");
    await within(work.cancel(), SOON, "the cancel is answered");
    expect(work.state).toBe("cancelled");
    await failure(work.result(), "CANCELLED");
    await failure(texts(work), "CANCELLED");
    await isWell(controller, worker);
  });
});

describe("Work.cancel of a download that nobody reads on", () => {
  test("ends it at once, and tells who reads it", async () => {
    const work = await controller.send("worker", "talk:pour");
    const { value: response } = await work[Symbol.asyncIterator]().next();
    const body = (response as Response).stream();
    await once(body, "readable");
    // Time for the worker to write until it is held back.
    await wait(300);
    await within(work.cancel(), SOON, "the cancel is answered");
    await expect(body.toArray()).rejects.toMatchObject({ code: "STREAM_INCOMPLETE" });
    await failure(work.result(), "CANCELLED");
    await isWell(controller, worker);
  });
});

describe("options.signal", () => {
  test("may be one for any number of calls, without a warning", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    const { signal } = new AbortController();
    const works = await Promise.all(Array.from({ length: 30 }, () => controller.send("worker", "talk:wait", "", { signal })));
    await Promise.all(works.map((work) => work.cancel()));
    await new Promise(setImmediate);
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  test("aborted before: nothing is sent", async () => {
    await failure(controller.send("worker", "echo:run", "x", { signal: AbortSignal.abort() }), "ABORTED");
    expect(controller.status().work).toEqual([]);
  });

  test("aborted while the message waits: the call ends with ABORTED and the message is gone", async () => {
    const abort = new AbortController();
    const sending = controller.send("nobody-yet", "echo:run", "x", { ttl: 60_000, signal: abort.signal });
    await until(() => (controller.queue().length === 1 ? true : undefined), SOON, "the message waits");
    abort.abort();
    await failure(sending, "ABORTED");
    await until(() => (controller.queue().length + controller.status().work.length === 0 ? true : undefined), SOON, "the message is gone");
  });

  test("aborted after acceptance: the work is cancelled", async () => {
    const abort = new AbortController();
    const work = await controller.send("worker", "talk:wait", "", { signal: abort.signal });
    abort.abort();
    await failure(work.result(), "CANCELLED");
    await isWell(controller, worker);
  });

  test("ends reachable, ping, result and events", async () => {
    const work = await controller.send("worker", "talk:wait");
    const over = AbortSignal.abort();
    await failure(controller.reachable("nobody", { signal: over }), "ABORTED");
    await failure(controller.ping("worker", { signal: over }), "ABORTED");
    await failure(work.result({ signal: over }), "ABORTED");
    for await (const event of controller.events({ signal: over })) expect(event).toBeUndefined();
    await work.cancel();
  });
});

describe("waitFor", () => {
  test("sent resolves at once, also where nobody has heard of the target", async () => {
    const work = await controller.send("nobody-yet", "echo:run", "x", { ttl: 60_000, waitFor: "sent" });
    expect(["sent", "parked"]).toContain(work.state);
    await work.cancel();
  });

  test("sent leaves the message 5 min, or what store.ttl says, where the call does not say how long", async () => {
    const hasty = await mesh.node("hasty", { listen: [], store: { ttl: 60_000 }, peers: [...relay.listening] });
    await hasty.reachable("worker", { timeout: SOON });
    await worker.close();
    for (const [node, ttl] of [
      [controller, 300_000],
      [hasty, 60_000],
    ] as const) {
      const work = await node.send("worker", "echo:run", "x", { waitFor: "parked" });
      const { value } = await until(() => [node, relay].flatMap((one) => one.queue()).find(({ id }) => id === work.id), SOON, "it waits");
      expect(value.ttl).toBeGreaterThan(ttl - SOON);
      expect(value.ttl).toBeLessThanOrEqual(ttl);
      await work.cancel();
    }
  });

  test("parked resolves when it waits on a disk, and the work goes on when its target appears", async () => {
    const work = await controller.send("late", "echo:run", "hello", { ttl: 60_000, waitFor: "parked" });
    expect(work.state).toBe("parked");
    expect(controller.status().parked).toMatchObject({ messages: 1, destinations: [{ messages: 1 }] });
    await mesh.node("late", { listen: [], peers: [...relay.listening], extraPlugins: [mesh.echo] });
    expect(await texts(work)).toEqual(["hello"]);
    const types: string[] = [];
    for await (const event of work.events()) types.push(event.type);
    expect(types).toEqual(["sent", "parked", "accepted", "running", "end"]);
  });
});

describe("MeshNode.attach", () => {
  test("a new process reads on where one that was killed had stopped", async () => {
    const peers = [...relay.listening];
    const first = mesh.program("send", { node: { id: "program", peers }, directive: "echo:count", payload: '{"count":12,"interval":250}' });
    const { id } = await first.line("sent");
    await until(() => (first.lines.filter(({ type }) => type === "response").length >= 3 ? true : undefined), SOON, "three responses");
    await first.kill();
    const seen = first.lines.filter(({ type }) => type === "response").length;
    const second = mesh.program("attach", { node: { id: "program", peers }, work: id, from: seen + 1 });
    await second.line("end");
    const rest = second.lines.filter(({ type }) => type === "response").map(({ serial, text }) => [serial, text]);
    expect(rest).toEqual(Array.from({ length: 12 - seen }, (_, n) => [seen + 1 + n, String(seen + 1 + n)]));
    await second.ended();
  });

  test("reads an ended work again, from any response on", async () => {
    const work = await controller.send("worker", "echo:count", { count: 5 });
    await work.result();
    const again = await controller.attach(work.id, { node: "worker", from: 4 });
    const serials: number[] = [];
    for await (const response of again) serials.push(response.serial);
    expect(serials).toEqual([4, 5]);
    expect((await again.result()).responses).toBe(5);
  });

  test("says RESPONSES_GONE for what is no longer kept, and UNKNOWN_WORK for what never was", async () => {
    const work = await controller.send("worker", "talk:spill");
    await work.result();
    await failure(controller.attach(work.id, { node: "worker", from: 1 }), "RESPONSES_GONE");
    await failure(controller.attach("00000000-0000-4000-8000-000000000000", { node: "worker" }), "UNKNOWN_WORK");
    await failure(controller.attach("no id", { node: "worker" }), "INVALID_ARGUMENT");
    await isWell(controller, worker);
  });
});

describe("MeshNode.events", () => {
  test("tells of nodes, links, routes and works", async () => {
    const abort = new AbortController();
    const seen = new Set<string>();
    const reading = (async () => {
      for await (const event of worker.events({ signal: abort.signal }))
        seen.add("node" in event && event.type.startsWith("node-") ? `${event.type} ${event.node}` : event.type);
    })();
    const late = await mesh.node("late", { listen: [], peers: [...relay.listening] });
    await worker.reachable("late");
    await texts(await controller.send("worker", "echo:run", "x"));
    await late.close();
    const wanted = ["node-up late", "routes-changed", "work-accepted", "work-ended", "node-down late"];
    await until(
      () => (wanted.every((type) => seen.has(type)) ? true : undefined),
      SOON,
      `events ${wanted.join(", ")}; had ${[...seen].join(", ")}`,
    );
    abort.abort();
    await reading;
  });

  test("says of what waits, and waited in vain, who it is for, also where nobody has heard of that node", async () => {
    const abort = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const event of controller.events({ signal: abort.signal }))
        if (event.type === "parked" || event.type === "expired") seen.push(`${event.type} ${event.destination}`);
    })();
    await failure(controller.send("nobody", "echo:run", "x", { ttl: 300 }), "EXPIRED");
    expect(seen).toEqual(["parked nobody", "expired nobody"]);
    abort.abort();
    await reading;
  });
});

describe("MeshNode.status", () => {
  test("is the shape that the command prints", async () => {
    const work = await controller.send("worker", "talk:wait");
    await inState(work, "running");
    const status = controller.status();
    expect(Object.keys(status)).toEqual([
      "node",
      "version",
      "uptime",
      "listening",
      "plugins",
      "nodes",
      "links",
      "edges",
      "parked",
      "work",
      "warnings",
    ]);
    expect(status).toMatchObject({ node: "controller", listening: [], parked: { messages: 0, bytes: 0, destinations: [] } });
    expect(status.nodes.map(({ id, via, cost, hops, reachable, ephemeral }) => [id, via, cost, hops, reachable, ephemeral])).toEqual([
      ["relay", "relay", 1, 1, true, false],
      ["worker", "relay", 2, 2, true, false],
    ]);
    expect(status.nodes[1]?.plugins.map(({ name }) => name)).toEqual(["echo", "talk"]);
    expect(status.links).toMatchObject([{ peer: "relay", url: relay.listening[0], direction: "out", cost: 1, secure: false }]);
    expect(status.edges).toEqual(
      expect.arrayContaining([
        { between: ["controller", "relay"], cost: 1 },
        { between: ["relay", "worker"], cost: 1 },
      ]),
    );
    expect(status.work).toMatchObject([{ id: work.id, directive: "talk:wait", role: "sender", peer: "worker", state: "running" }]);
    expect(worker.status().work).toMatchObject([
      { id: work.id, directive: "talk:wait", role: "worker", peer: "controller", state: "running", responses: 1 },
    ]);
    await work.cancel();
    await isWell(controller, worker);
  });
});

describe("MeshNode.close", () => {
  test("ends what is under way with CLOSED, twice does no harm, and nothing works after it", async () => {
    const node = await mesh.node("short", { listen: [], peers: [...relay.listening] });
    await node.reachable("worker");
    const work = await node.send("worker", "talk:wait");
    const result = failure(work.result(), "CLOSED");
    await Promise.all([node.close(), node.close()]);
    await result;
    await failure(node.send("worker", "echo:run", "x"), "CLOSED");
    await failure(node.ping("worker"), "CLOSED");
    await failure(node.reachable("worker"), "CLOSED");
    await until(() => (relay.status().nodes.some(({ id }) => id === "short") ? undefined : true), SOON, "it is gone from the mesh");
  });
});

describe("the input of a work that is over", () => {
  test("takes no more, without an error that nobody hears", async () => {
    const work = await controller.send("worker", "talk:wait", undefined, { input: "open" });
    const closed = once(work.input ?? new Readable(), "close");
    await work.cancel();
    await within(closed, SOON, "the input closes");
    expect(work.input?.destroyed).toBe(true);
  });
});
