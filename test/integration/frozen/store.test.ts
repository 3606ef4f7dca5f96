import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createNode } from "../../../src/node/create.ts";
import { openLevelStore } from "../../../src/storage/level-store.ts";
import { get } from "../../../src/storage/promised.ts";
import { readRecordings } from "../../frozen/recordings.ts";
import { until } from "../../support/mesh.ts";

const SOON = 15_000;

/** The boot id of the life that was recorded: its first 8 digits name the store, and stay. */
const FORMER = "26f2ff44d8c3409fbfb9f478c608b6d9";

async function lifeIn(dir: string): Promise<unknown> {
  const store = await openLevelStore(dir);
  const value = await get(store, "node/life");
  await store.close();
  return JSON.parse(Buffer.from(value ?? []).toString("utf8"));
}

it("createNode goes on with the disk of version 1.0: what waited there waits, is delivered, and its epoch rises", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "receptor-frozen-"));
  try {
    await mkdir(join(dataDir, "store"));
    for (const { name, bytes } of readRecordings("store.hex")) await writeFile(join(dataDir, "store", name), bytes);
    const keeper = await createNode({ id: "keeper", listen: ["tcp://127.0.0.1:0"], plugins: {}, dataDir });
    expect(keeper.status().warnings.filter((warning) => warning.includes("store"))).toEqual([]);
    const [waiting, ...others] = keeper.queue();
    expect(others).toEqual([]);
    expect(waiting).toMatchObject({ to: "nobody" });
    expect(waiting?.ttl).toBeGreaterThan(500_000);
    await using nobody = await createNode({ id: "nobody", listen: [], peers: [...keeper.listening], plugins: {} });
    const accepted: string[] = [];
    void (async (): Promise<void> => {
      for await (const event of nobody.events()) if (event.type === "work-accepted") accepted.push(`${event.id} ${event.directive}`);
    })();
    await until(() => (keeper.queue().length === 0 && accepted.length > 0 ? true : undefined), SOON, "what waited is delivered");
    expect(accepted).toEqual([`${waiting?.id} mesh:info`]);
    await keeper.close();
    expect(await lifeIn(join(dataDir, "store"))).toEqual({
      epoch: 2,
      boots: [FORMER, expect.stringMatching(new RegExp(`^${FORMER.slice(0, 8)}[0-9a-f]{24}$`))],
    });
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
