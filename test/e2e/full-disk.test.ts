import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isMeshError } from "../../src/core/errors.ts";
import type { MeshNode } from "../../src/node/api.ts";
import { createNode } from "../../src/node/create.ts";
import { ProcessMesh, pluginFolder, until } from "../support/mesh.ts";
import { onSmallDisk, whyNoMount } from "../support/small-disk.ts";

const MiB = 1024 * 1024;
const BACK = 10_000;
/** How long a refusal may take, on a busy machine too: far less than the message's time to live. */
const AT_ONCE = 5_000;
const TTL = 600_000;
/** 12,000 bytes that LevelDB cannot compress. */
const PAYLOAD = randomBytes(9_000).toString("base64");

const reason = whyNoMount();
const why = reason === undefined ? "" : ` (${reason})`;
let mesh: ProcessMesh;

beforeEach(() => {
  mesh = new ProcessMesh();
});

afterEach(async () => {
  await mesh.close();
});

interface Filled {
  /** Ids of what waits, as its sender was told. */
  readonly waiting: readonly string[];
  /** Codes of what was refused. */
  readonly refused: readonly string[];
  /** Milliseconds of the slowest refusal. */
  readonly slowest: number;
}

/** Sends messages, several at once, until each of the senders has been refused twice. */
async function fill(node: MeshNode, to: string, durable: boolean): Promise<Filled> {
  const waiting: string[] = [];
  const refused: string[] = [];
  let slowest = 0;
  const one = async (): Promise<void> => {
    for (let refusals = 0; refusals < 2; ) {
      const started = performance.now();
      try {
        const work = await node.send(to, "echo:run", PAYLOAD, { ttl: TTL, durable, waitFor: "parked" });
        work.result().catch(() => undefined);
        waiting.push(work.id);
      } catch (error) {
        refusals++;
        refused.push(isMeshError(error) ? error.code : String(error));
        slowest = Math.max(slowest, performance.now() - started);
      }
    }
  };
  await Promise.all([one(), one(), one(), one()]);
  return { waiting, refused, slowest };
}

test.skipIf(reason !== undefined).each([2, 32])(
  `a node that parks, on a disk of %i MiB: its senders hear STORE_FULL at once, and when there is room it is back by itself with all that waits${why}`,
  async (mebibytes) => {
    const disk = mesh.dataDir("keeper");
    await onSmallDisk(disk, mebibytes, async () => {
      const filler = join(disk, "filler");
      // What is left takes no more messages than a worker's queue (1,000).
      writeFileSync(filler, new Uint8Array(Math.max(0.6 * mebibytes, mebibytes - 8) * MiB));
      const { listening, pid } = await mesh.start("keeper", ["--listen", "tcp://127.0.0.1:0"]);
      const url = listening[0] ?? "";
      const worker = ["--no-listen", "--peer", url, "--plugin", pluginFolder("echo"), "--log-level", "debug"];
      // A leaf keeps nothing itself.
      await using sender = await createNode({ id: "sender", listen: [], peers: [url], plugins: {}, leaf: true, log: { level: "error" } });
      await sender.reachable("keeper", { timeout: 10_000 });

      const { waiting, refused, slowest } = await fill(sender, "worker", false);
      expect(waiting.length).toBeGreaterThan(10);
      expect(new Set(refused)).toEqual(new Set(["STORE_FULL"]));
      expect(slowest).toBeLessThan(AT_ONCE);
      const full = await mesh.status(url);
      expect(full.warnings.join()).toMatch(/disk of the data folder is full/);
      expect(full.parked.messages).toBe(waiting.length);

      rmSync(filler);
      const freed = performance.now();
      const again = await until(
        () =>
          sender.send("worker", "echo:run", "there is room", { ttl: TTL, waitFor: "parked" }).catch((error: unknown) => {
            if (isMeshError(error, "STORE_FULL")) return undefined;
            throw error;
          }),
        BACK,
        "it takes messages again",
      );
      expect(performance.now() - freed).toBeLessThan(BACK);
      again.value.result().catch(() => undefined);
      expect((await mesh.status(url)).warnings).toEqual([]);
      expect(mesh.pid("keeper")).toBe(pid);

      await mesh.kill("keeper");
      await mesh.restart("keeper");
      expect((await mesh.status(url)).parked.messages).toBe(waiting.length + 1);
      await mesh.start("worker", worker);
      const ran = await until(
        () => {
          const ids = mesh.log("worker").flatMap(({ event, id }) => (event === "work-accepted" ? [String(id)] : []));
          return ids.length > waiting.length ? ids : undefined;
        },
        30_000,
        "all that waited runs",
      );
      expect(ran.value.toSorted()).toEqual([...waiting, again.value.id].toSorted());
    });
  },
  90_000,
);

test.skipIf(reason !== undefined)(
  `a node whose own disk is full refuses its durable messages with STORE_FULL at once, sends others, and is back by itself when there is room${why}`,
  async () => {
    const disk = mesh.dataDir("sender");
    await onSmallDisk(disk, 4, async () => {
      const filler = join(disk, "filler");
      writeFileSync(filler, new Uint8Array(2 * MiB));
      const worker = ["--listen", "tcp://127.0.0.1:0", "--plugin", pluginFolder("echo"), "--log-level", "debug"];
      const { listening } = await mesh.start("worker", worker);
      const url = listening[0] ?? "";
      let ids: readonly string[];
      {
        await using sender = await createNode({
          id: "sender",
          listen: [],
          peers: [url],
          plugins: {},
          dataDir: disk,
          log: { level: "error" },
        });
        await sender.reachable("worker", { timeout: 10_000 });
        // To a node that nobody knows: they wait in the sender's own store.
        const { waiting, refused, slowest } = await fill(sender, "later", true);
        ids = waiting;
        expect(waiting.length).toBeGreaterThan(10);
        expect(new Set(refused)).toEqual(new Set(["STORE_FULL"]));
        expect(slowest).toBeLessThan(AT_ONCE);
        expect(sender.status().parked.messages).toBe(waiting.length);
        const plain = await sender.send("worker", "echo:run", "needs no disk");
        expect((await plain.result()).state).toBe("succeeded");

        rmSync(filler);
        await until(() => (sender.status().warnings.length === 0 ? true : undefined), BACK, "it takes writes again");
        const durable = await sender.send("worker", "echo:run", "needs a disk", { durable: true });
        expect((await durable.result()).state).toBe("succeeded");
        expect(sender.status().parked.messages).toBe(waiting.length);
      }
      // Another life of the sender delivers what the first had taken.
      await using sender = await createNode({
        id: "sender",
        listen: [],
        peers: [url],
        plugins: {},
        dataDir: disk,
        log: { level: "error" },
      });
      await sender.reachable("worker", { timeout: 10_000 });
      const later = ["--no-listen", "--peer", url, "--plugin", pluginFolder("echo"), "--log-level", "debug"];
      await mesh.start("later", later);
      const ran = await until(
        () => {
          const found = mesh.log("later").flatMap(({ event, id }) => (event === "work-accepted" ? [String(id)] : []));
          return found.length >= ids.length ? found : undefined;
        },
        30_000,
        "all that waited runs",
      );
      expect(ran.value.toSorted()).toEqual(ids.toSorted());
    });
  },
  90_000,
);
