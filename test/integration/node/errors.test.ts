import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MeshNode } from "receptor-mesh";
import { until } from "../../support/mesh.ts";
import { failure, LocalMesh, SOON } from "./meshes.ts";

let mesh: LocalMesh;
let controller: MeshNode;
let worker: MeshNode;

beforeEach(async () => {
  mesh = new LocalMesh();
  ({ controller, worker } = await mesh.pair([mesh.echo], { groups: ["blue"] }));
});

afterEach(async () => {
  await mesh.close();
});

describe("MeshNode.send rejects", () => {
  test("with UNKNOWN_NODE for a name that nobody has heard, at once", async () => {
    expect((await failure(controller.send("wroker", "echo:run", "x"), "UNKNOWN_NODE")).data).toEqual({ node: "wroker" });
  });

  test("with UNKNOWN_GROUP", async () => {
    expect((await failure(controller.send("any:red", "echo:run"), "UNKNOWN_GROUP")).data).toEqual({ group: "red" });
    await failure(controller.send("all:red", "echo:run"), "UNKNOWN_GROUP");
  });

  test("with UNKNOWN_PLUGIN and UNKNOWN_ACTION, and what there is", async () => {
    expect((await failure(controller.send("worker", "ehco:run"), "UNKNOWN_PLUGIN")).data).toMatchObject({
      node: "worker",
      plugin: "ehco",
      known: expect.arrayContaining(["mesh", "echo"]),
    });
    const { data } = await failure(controller.send("worker", "echo:rnu"), "UNKNOWN_ACTION");
    expect(data).toMatchObject({ node: "worker", plugin: "echo", action: "rnu" });
    expect(data["known"]).toContain("run");
    await failure(controller.send("any:blue", "echo:rnu"), "UNKNOWN_ACTION");
  });

  test.each([
    ["a target", "no node!", "echo:run", {}],
    ["a group", "any:", "echo:run", {}],
    ["a directive", "worker", "echo", {}],
    ["a time to live", "worker", "echo:run", { ttl: -1 }],
    ["a deadline", "worker", "echo:run", { deadline: Number.NaN }],
  ])("with INVALID_ARGUMENT for %s of the wrong form", async (_, target, directive, options) => {
    await failure(controller.send(target, directive, "x", options), "INVALID_ARGUMENT");
  });

  test("with INVALID_ARGUMENT for a payload that cannot be sent", async () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    await failure(controller.send("worker", "echo:run", circular), "INVALID_ARGUMENT");
    await failure(controller.send("worker", "echo:run", (() => 1) as never), "INVALID_ARGUMENT");
    await failure(controller.send("any:blue", "echo:run", (async function* () {})()), "INVALID_ARGUMENT");
  });

  test("with EXPIRED once the time to live has run out, and where it waited", async () => {
    const error = await failure(controller.send("nobody", "echo:run", "x", { ttl: 300 }), "EXPIRED");
    expect(error.message).toContain("controller");
    expect(controller.queue()).toEqual([]);
  });

  test("with NO_ROUTE at once where it may not wait", async () => {
    await worker.close();
    await until(() => (controller.status().nodes.length === 0 ? true : undefined), SOON, "the worker is gone");
    await failure(controller.send("worker", "echo:run", "x", { ttl: 0 }), "NO_ROUTE");
  });

  test("with TOO_LARGE for a durable message that would have to be a stream, and for headers beyond their limit", async () => {
    await failure(controller.send("worker", "echo:run", new Uint8Array(16 * 1024 + 1), { durable: true }), "TOO_LARGE");
    await failure(controller.send("worker", "echo:run", "x", { durable: true, input: "open" }), "TOO_LARGE");
    await failure(controller.send("worker", "echo:run", "x", { headers: { big: "x".repeat(5_000) } }), "TOO_LARGE");
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`h${n}`, ""]));
    await failure(controller.send("worker", "echo:run", "x", { headers: many }), "TOO_LARGE");
    expect(controller.status().work).toEqual([]);
  });

  test("with what the plugin says of a bad input, once it runs", async () => {
    await failure((await controller.send("worker", "echo:count", "no json")).result(), "INVALID_ARGUMENT");
  });
});

describe("MeshNode.reachable and MeshNode.ping reject", () => {
  test("with TIMEOUT where there is no route in time", async () => {
    expect((await failure(controller.reachable("nobody", { timeout: 50 }), "TIMEOUT")).data).toEqual({ node: "nobody" });
  });

  test("with UNKNOWN_NODE for a name that nobody has heard", async () => {
    await failure(controller.ping("nobody"), "UNKNOWN_NODE");
  });
});
