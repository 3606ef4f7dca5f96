import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pluginFolder, ProcessMesh, type Ready, until } from "../support/mesh.ts";

let mesh: ProcessMesh;
let controller: Ready;

beforeEach(async () => {
  mesh = new ProcessMesh();
  const relay = await mesh.start("relay", ["--listen", "tcp://127.0.0.1:0"]);
  const peer = ["--peer", relay.listening[0] ?? ""];
  controller = await mesh.start("controller", ["--listen", "tcp://127.0.0.1:0", ...peer]);
  await mesh.start("worker", ["--no-listen", ...peer, "--plugin", pluginFolder("echo"), "--log-level", "debug"]);
  await reachable(true);
});

afterEach(async () => {
  await mesh.close();
});

const url = (): string => controller.listening[0] ?? "";

async function reachable(wanted: boolean): Promise<number> {
  const { milliseconds } = await until(
    async () => ((await mesh.status(url())).nodes.some(({ id }) => id === "worker") === wanted ? true : undefined),
    20_000,
    `the worker is ${wanted ? "" : "not "}in the status`,
  );
  return milliseconds;
}

describe("a message whose only relay is gone", () => {
  test("waits at the last node, survives its kill -9, and arrives in order when the relay is back", async () => {
    await mesh.kill("relay");
    await reachable(false);
    const sends = [1, 2, 3].map(async (n) => {
      const sent = mesh.follow(["send", "worker", "echo:run", `message ${n}`, "--peer", url(), "--ttl", "100"]);
      const seen: string[] = [];
      for await (const event of sent.objects) {
        seen.push(String(event["type"]));
        if (event["type"] === "parked") expect(event["node"]).toBe("controller");
        if (event["type"] === "parked") break;
      }
      return { sent, seen };
    });
    await Promise.all(sends);
    const queue = await mesh.run(["queue", "list", "--json", "--peer", url()]);
    expect(queue.objects.map(({ to, why }) => [to, why])).toEqual([1, 2, 3].map(() => ["worker", "no route"]));

    await mesh.kill("controller");
    controller = await mesh.restart("controller");
    const { parked } = await mesh.status(url());
    expect(parked).toMatchObject({ messages: 3, destinations: [{ node: "worker", messages: 3 }] });

    await mesh.restart("relay");
    await until(async () => ((await mesh.status(url())).parked.messages === 0 ? true : undefined), 20_000, "the queue is empty");
    const { value: accepted } = await until(
      () => {
        const ids = mesh.log("worker").filter(({ event }) => event === "work-accepted");
        return ids.length >= 3 ? ids : undefined;
      },
      10_000,
      "the worker ran all three",
    );
    expect(accepted.map(({ id }) => id)).toEqual(queue.objects.map(({ id }) => id));
  });

  test("is reported as expired, with the node where it waited", async () => {
    await mesh.kill("relay");
    await reachable(false);
    const ran = await mesh.run(["send", "worker", "echo:run", "too late", "--ttl", "1", "--peer", url(), "--json"]);
    expect(ran.objects.map(({ type }) => type)).toEqual(["parked", "end"]);
    expect(ran.objects[1]).toMatchObject({ state: "failed", error: { code: "EXPIRED" } });
    expect(JSON.stringify(ran.objects[1]?.["error"])).toContain("controller");
    expect(ran.code).toBe(4);
  });
});

describe("status", () => {
  test("drops a killed node within a second, and a silent one within 20 s; both come back by themselves", async () => {
    await mesh.kill("worker");
    expect(await reachable(false)).toBeLessThan(1_000 + 600);
    await mesh.restart("worker");
    await reachable(true);
    mesh.nudge("worker", "SIGSTOP");
    expect(await reachable(false)).toBeLessThan(20_000);
    mesh.nudge("worker", "SIGCONT");
    await reachable(true);
  });
});
