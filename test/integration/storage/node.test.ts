import { readFile, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Logger } from "../../../src/core/log.ts";
import { createNode } from "../../../src/node/create.ts";
import type { MeshNode } from "../../../src/node/api.ts";
import { openLevelStore } from "../../../src/storage/level-store.ts";
import { get, write } from "../../../src/storage/promised.ts";
import { files, withFolder } from "./support.ts";

const MESSAGES = 60;

interface Seen {
  readonly node: MeshNode;
  readonly lines: readonly Record<string, unknown>[];
  metric(name: string): Promise<number>;
}

/** A node over the data folder of the store `dir`, and what it says. */
async function start(dir: string): Promise<Seen> {
  const lines: Record<string, unknown>[] = [];
  const say = (facts: object): void => void lines.push({ ...facts });
  const log: Logger = { debug: say, info: say, warn: say, error: say, child: () => log };
  const node = await createNode({ id: "keeper", listen: [], dataDir: dirname(dir), http: "127.0.0.1:0", plugins: {}, log });
  const metric = async (name: string): Promise<number> => {
    const url = lines.find(({ event }) => event === "http")?.["url"];
    const text = await (await fetch(`${String(url)}/metrics`)).text();
    const line = text.split("\n").find((each) => each.startsWith(name));
    return line === undefined ? NaN : Number(line.slice(line.lastIndexOf(" ") + 1));
  };
  return { node, lines, metric };
}

/** A store in which messages wait. */
async function parked(dir: string): Promise<void> {
  const { node } = await start(dir);
  for (let n = 0; n < MESSAGES; n++) await node.send("nobody", "test:run", `message ${n}`, { ttl: 600_000, waitFor: "parked" });
  expect(node.status().parked.messages).toBe(MESSAGES);
  await node.close();
}

/** By what name the mesh knew the store in each life, the oldest first. */
async function storeNames(dir: string): Promise<readonly string[]> {
  const store = await openLevelStore(dir);
  const life = JSON.parse(new TextDecoder().decode(await get(store, "node/life"))) as { boots: string[] };
  await store.close();
  return life.boots.map((boot) => boot.slice(0, 8));
}

const logOf = async (dir: string): Promise<string> => (await files(dir, /\.log$/))[0] ?? "";

describe("a node over a damaged store", () => {
  test("starts, has what was not damaged, and says how many records are not in its status, a metric and the log", () =>
    withFolder(async (dir) => {
      await parked(dir);
      await storeNames(dir);
      // That opening made a table of the log, so the damage is in that.
      const [table] = await files(dir, /\.ldb$/);
      const bytes = await readFile(table ?? "");
      const at = bytes.indexOf("message 0");
      expect(at).toBeGreaterThan(0);
      bytes[at + 8] = (bytes[at + 8] ?? 0) ^ 1;
      await writeFile(table ?? "", bytes);

      const { node, lines, metric } = await start(dir);
      const left = node.status().parked.messages;
      expect(left).toBeLessThan(MESSAGES);
      expect(await metric("receptor_store_corrupt_records_total")).toBeGreaterThanOrEqual(MESSAGES - left);
      expect(node.status().warnings.join()).toMatch(/damaged records of the store were left out/);
      expect(lines).toContainEqual({ dir });
      expect(await metric("receptor_ready")).toBe(1);
      await node.close();
      // It has forgotten nothing that it took as work.
      expect(new Set(await storeNames(dir)).size).toBe(1);
    }));

  test("whose log was cut says how many writes are gone, and is another store to those who sent it durable work", () =>
    withFolder(async (dir) => {
      await parked(dir);
      const log = await logOf(dir);
      await truncate(log, (await stat(log)).size - 100);
      const { node, lines, metric } = await start(dir);
      expect(node.status().parked.messages).toBe(MESSAGES - 1);
      expect(await metric("receptor_store_lost_writes_total")).toBe(1);
      expect(lines).toContainEqual({ dir, writes: 1 });
      expect(node.status().warnings).toEqual(["the newest write of the store is lost"]);
      await node.close();
      const again = await start(dir);
      expect(again.node.status().warnings).toEqual([]);
      await again.node.close();
      const [first, second, third] = await storeNames(dir);
      expect(second).not.toBe(first);
      expect(third).toBe(second);
    }));

  test("with records that it cannot read starts, and says how many of which kind are not in its status, a metric and the log", () =>
    withFolder(async (dir) => {
      await parked(dir);
      const store = await openLevelStore(dir);
      const nonsense = new Uint8Array(30).fill(7);
      const keys = ["journal/0190163d-8694-739b-aea5-000000000001", "journal/what", "outbox/what", "park/0000000000000000/00000000000"];
      await write(
        store,
        keys.map((key) => ({ type: "put", key, value: nonsense })),
      );
      await store.close();
      const { node, lines, metric } = await start(dir);
      expect(node.status().parked.messages).toBe(MESSAGES);
      for (const [kind, count] of Object.entries({ journal: 2, outbox: 1, parked: 1 })) {
        expect(await metric(`receptor_records_lost_total{kind="${kind}"}`)).toBe(count);
        expect(lines).toContainEqual(expect.objectContaining({ event: "records-lost", kind, count }));
      }
      expect(node.status().warnings).toEqual([
        expect.stringMatching(/^1 messages that waited here are lost/),
        expect.stringMatching(/^1 durable messages that were sent from here cannot be read/),
        expect.stringMatching(/^2 durable works that were taken here cannot be read/),
      ]);
      expect(await metric("receptor_ready")).toBe(1);
      await node.close();
    }));

  test("with an empty CURRENT starts with every message", () =>
    withFolder(async (dir) => {
      await parked(dir);
      await writeFile(join(dir, "CURRENT"), "");
      const { node } = await start(dir);
      expect(node.status().parked.messages).toBe(MESSAGES);
      expect(node.status().warnings).toEqual(["the store was damaged and has been repaired: records may be gone"]);
      await node.close();
    }));
});
