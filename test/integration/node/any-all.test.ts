import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MeshNode } from "receptor-mesh";
import { until, within } from "../../support/mesh.ts";
import { failure, inState, LocalMesh, SOON, texts } from "./meshes.ts";

const WHO = `{
  name: "who",
  actions: {
    async *run(input, context) { yield context.node; },
    async *wait(input, context) { yield context.node; await new Promise((_, reject) => context.signal.addEventListener("abort", () => reject(context.signal.reason))); },
    async *near(input, context) { yield context.node; if (context.node === "far") throw new Error("far is too far"); },
    async *stream(input, context) {
      yield Readable.from((function* () { for (let n = 0; n < 300; n++) yield Buffer.alloc(4096, context.node.charCodeAt(0)); })());
      yield context.node;
    },
    async *many() { for (let n = 1; n <= 20_000; n++) yield n; },
  },
}`;

let mesh: LocalMesh;
let controller: MeshNode;
let near: MeshNode;
let far: MeshNode;

/** controller - near - far; both are of the group "whos", with one place for work each. */
beforeEach(async () => {
  mesh = new LocalMesh();
  const options = { groups: ["whos"], extraPlugins: [mesh.plugin("who", WHO)], work: { maxConcurrent: 1, queue: 1 } };
  near = await mesh.node("near", options);
  far = await mesh.node("far", { ...options, peers: [...near.listening] });
  controller = await mesh.node("controller", { listen: [], peers: [...near.listening] });
  await controller.reachable("far", { timeout: SOON });
  await far.reachable("controller", { timeout: SOON });
});

afterEach(async () => {
  await mesh.close();
});

/** Occupies a member wholly: one work runs, one waits. */
async function fill(node: MeshNode): Promise<() => Promise<unknown>> {
  const running = await controller.send(node.id, "who:wait");
  await inState(running, "running");
  const waiting = await controller.send(node.id, "who:wait");
  return () => Promise.all([running.cancel(), waiting.cancel()]);
}

const leftovers = (): number => [controller, near, far].reduce((sum, node) => sum + node.status().work.length, 0);

describe("any:GROUP", () => {
  test("goes to the nearest member, and says which", async () => {
    const work = await controller.send("any:whos", "who:run");
    expect(work.node).toBe("near");
    expect(await texts(work)).toEqual(["near"]);
    expect((await work.result()).responses).toBe(1);
    expect(await texts(await far.send("any:whos", "who:run"))).toEqual(["far"]);
  });

  test("passes by a member that is full, and runs once", async () => {
    const free = await fill(near);
    const work = await controller.send("any:whos", "who:run");
    expect(await texts(work)).toEqual(["far"]);
    await free();
    await until(() => (leftovers() === 0 ? true : undefined), SOON, "nothing is left");
  });

  test("is BUSY where all members are full", async () => {
    const free = [await fill(near), await fill(far)];
    await failure(controller.send("any:whos", "who:run"), "BUSY");
    await Promise.all(free.map((end) => end()));
  });

  test("moves on when the nearest member is gone", async () => {
    const other = await mesh.node("other", { listen: [], peers: [...far.listening] });
    await other.reachable("near", { timeout: SOON });
    await far.close();
    await near.reachable("controller");
    expect(await texts(await controller.send("any:whos", "who:run"))).toEqual(["near"]);
  });

  test("is UNKNOWN_ACTION where no member can, and waits for one that can where it has a time to live", async () => {
    await failure(controller.send("any:whos", "later:run"), "UNKNOWN_ACTION");
    const sending = controller.send("any:whos", "later:run", "hello", { ttl: 60_000 });
    await mesh.node("able", {
      listen: [],
      peers: [...near.listening],
      groups: ["whos"],
      extraPlugins: [
        mesh.plugin("later", `{ name: "later", actions: { async *run(input, context) { yield context.node + await input.text(); } } }`),
      ],
    });
    expect(await texts(await within(sending, SOON, "it is accepted"))).toEqual(["ablehello"]);
  });

  test("expires where nobody takes it", async () => {
    await failure(controller.send("any:whos", "later:run", "x", { ttl: 200 }), "EXPIRED");
  });

  test("that waits for a member is ended by cancel and by a signal, at once", async () => {
    const waiting = await controller.send("any:nobody", "who:run", "x", { ttl: 60_000, waitFor: "sent" });
    await within(waiting.cancel(), SOON, "the cancel is answered");
    expect(waiting.state).toBe("cancelled");
    await failure(waiting.result(), "CANCELLED");
    const abort = new AbortController();
    const sending = failure(controller.send("any:nobody", "who:run", "x", { ttl: 60_000, signal: abort.signal }), "ABORTED");
    abort.abort();
    await sending;
  });

  test("that waits for a member ends with CLOSED when its node closes", async () => {
    const node = await mesh.node("short", { listen: [], peers: [...near.listening] });
    const work = await node.send("any:nobody", "who:run", "x", { ttl: 60_000, waitFor: "sent" });
    await within(node.close(), SOON, "the node closes");
    await failure(work.result(), "CLOSED");
  });

  test("calls back with the responses of the member that took it, also where it is not chosen yet", async () => {
    const seen: string[] = [];
    const work = await controller.send("any:whos", "who:run", "", { waitFor: "sent" });
    expect(await work.forEach((response) => void seen.push(response.text()))).toMatchObject({ state: "succeeded", responses: 1 });
    expect(seen).toEqual(["near"]);
  });

  test("tells its events, the member's", async () => {
    const work = await controller.send("any:whos", "who:run");
    const events: string[] = [];
    for await (const event of work.events()) events.push(`${event.type} ${event.node}`);
    expect(events).toEqual(["sent near", "accepted near", "running near", "end near"]);
  });
});

describe("all:GROUP", () => {
  test("goes to each member, whose works are there one by one", async () => {
    const work = await controller.send("all:whos", "who:run");
    expect(work.members.map(({ node }) => node).sort()).toEqual(["far", "near"]);
    expect(await Promise.all(work.members.map(texts))).toEqual(work.members.map(({ node }) => [node]));
    expect(await work.result()).toEqual({ state: "succeeded", responses: 2, exitCode: undefined });
  });

  test("gives the responses of all, numbered from 1, and rejects with the one member's failure after them", async () => {
    const work = await controller.send("all:whos", "who:near");
    const seen: [number, string][] = [];
    const error = await failure(
      (async () => {
        for await (const response of work) seen.push([response.serial, response.text()]);
      })(),
      "WORK_FAILED",
    );
    expect(error.message).toBe("far is too far");
    expect(seen.map(([serial]) => serial)).toEqual([1, 2]);
    expect(seen.map(([, text]) => text).sort()).toEqual(["far", "near"]);
    await failure(work.result(), "WORK_FAILED");
    expect(work.members.map(({ node, state }) => `${node} ${state}`).sort()).toEqual(["far failed", "near succeeded"]);
    expect(work.state).toBe("failed");
  });

  test("calls back with the responses of all, one at a time, and stops where the callback fails or a signal says so", async () => {
    const seen: number[] = [];
    let busy = 0;
    const each = async ({ serial }: { readonly serial: number }): Promise<void> => {
      expect(++busy).toBe(1);
      await new Promise(setImmediate);
      seen.push(serial);
      busy--;
    };
    const work = await controller.send("all:whos", "who:run");
    expect(await work.forEach(each)).toEqual({ state: "succeeded", responses: 2, exitCode: undefined });
    expect(seen).toEqual([1, 2]);
    await failure((await controller.send("all:whos", "who:near")).forEach(each), "WORK_FAILED");
    const stuck = await controller.send("all:whos", "who:wait");
    const abort = new AbortController();
    await failure(
      stuck.forEach(() => abort.abort(), { signal: abort.signal }),
      "ABORTED",
    );
    await stuck.cancel();
    const failing = (await controller.send("all:whos", "who:run")).forEach(() => {
      throw new TypeError("enough");
    });
    await expect(failing).rejects.toThrow("enough");
  });

  test("streams the streamed responses of each whole", async () => {
    const sizes: number[] = [];
    const names: string[] = [];
    for await (const response of await controller.send("all:whos", "who:stream")) {
      if (response.payload !== undefined) {
        names.push(response.text());
        continue;
      }
      let size = 0;
      for await (const chunk of response.stream()) size += (chunk as Buffer).length;
      sizes.push(size);
    }
    expect(sizes).toEqual([300 * 4096, 300 * 4096]);
    expect(names.sort()).toEqual(["far", "near"]);
  });

  test("holds members to the pace of its reader, and loses nothing", async () => {
    let count = 0;
    for await (const response of await controller.send("all:whos", "who:many")) {
      count++;
      expect(response.serial).toBe(count);
      if (count % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(count).toBe(40_000);
  });

  test("cancels every member", async () => {
    const work = await controller.send("all:whos", "who:wait");
    await work.cancel();
    expect(work.members.map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
    await until(() => (leftovers() === 0 ? true : undefined), SOON, "nothing is left");
  });
});
