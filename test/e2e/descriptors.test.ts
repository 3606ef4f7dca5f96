import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createNode } from "receptor-mesh";
import { freePort, pluginFolder, ProcessMesh, until } from "../support/mesh.ts";

const LIMIT = 64;
const ROOM = 20_000;
let mesh: ProcessMesh;

beforeEach(() => {
  mesh = new ProcessMesh();
});

afterEach(async () => {
  await mesh.close();
});

function descriptors(id: string): number {
  return readdirSync(`/proc/${mesh.pid(id)}/fd`).length;
}

const warned = (): number => mesh.log("few").filter(({ msg }) => msg === "accepting paused").length;

/** Takes what the node has, out of so many addresses that no other limit is met first; those that it closes come again. */
async function fill(port: number): Promise<{ end(): void }> {
  const sockets = new Set<Socket>();
  const ending = new AbortController();
  let at = 0;
  const one = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const socket = connect({ host: "127.0.0.1", port, localAddress: `127.0.3.${1 + (at++ % 250)}` });
      sockets.add(socket);
      socket.on("error", () => undefined).resume();
      await once(socket, "close").catch(() => undefined);
      sockets.delete(socket);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  for (let i = 0; i < LIMIT; i++) void one();
  await until(() => (warned() > 0 ? true : undefined), ROOM, "the node is out of descriptors");
  return {
    end() {
      ending.abort();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test("a node out of descriptors keeps its links and their work, says so, dials and stores without a crash, and takes new links again", async () => {
  // A peer that is not there yet: the node dials it again and again, also while it has nothing left to dial with.
  const later = `tcp://127.0.0.1:${await freePort()}`;
  const args = ["--listen", "tcp://127.0.0.1:0", "--plugin", pluginFolder("echo"), "--peer", later];
  const { listening } = await mesh.start("few", args, { descriptors: LIMIT });
  const url = listening[0] ?? "";
  await using old = await createNode({ id: "old", listen: [], peers: [url], plugins: {}, log: { level: "error" } });
  await old.reachable("few", { timeout: ROOM });
  const before = descriptors("few");
  const crowd = await fill(Number(new URL(url).port));
  try {
    const answer = await (await old.send("few", "echo:run", "still there?")).result();
    expect(answer).toMatchObject({ state: "succeeded" });
    expect(old.status().links).toHaveLength(1);
    // What is parked goes into the store, which writes its tables while there is nothing left to open them with.
    const payload = Buffer.alloc(15_000, 7);
    for (let i = 0; i < 400; i++) await old.send("nobody", "echo:run", payload, { waitFor: "sent", ttl: 60_000 }).catch(() => undefined);
    const reports: string[] = [];
    for await (const report of await old.send("few", "mesh:status", "")) reports.push(report.text());
    expect(reports.join("")).toMatch(/"warnings":\[.*cannot take more connections for now/);
    expect(warned()).toBe(1);
  } finally {
    crowd.end();
  }
  await until(() => (mesh.log("few").some(({ msg }) => msg === "accepting works again") ? true : undefined), ROOM, "it accepts again");
  await using late = await createNode({ id: "late", listen: [later], peers: [url], plugins: {}, log: { level: "error" } });
  await late.reachable("few", { timeout: ROOM });
  expect((await late.ping("few")).hops).toBe(1);
  await until(() => (descriptors("few") <= before + 8 ? true : undefined), ROOM, "descriptors are free again");
  expect(await mesh.signal("few", "SIGTERM")).toBe(0);
});
