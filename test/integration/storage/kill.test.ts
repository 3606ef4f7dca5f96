import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openLevelStore } from "../../../src/storage/level-store.ts";
import { sequences, withFolder } from "./support.ts";

const WRITER = fileURLToPath(new URL("writer.ts", import.meta.url));

/** Runs a process that writes to `dir`, kills it after `count` acknowledgements, and returns the numbers that it saw acknowledged. */
async function killedWriter(dir: string, count: number): Promise<number[]> {
  const child = spawn(process.execPath, ["--import", "tsx", WRITER, dir], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  let lines = 0;
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    output += text;
    lines += text.split("\n").length - 1;
    if (lines >= count) child.kill("SIGKILL");
  });
  await once(child, "close");
  // The last line may be cut by the kill.
  return output.slice(0, output.lastIndexOf("\n")).split("\n").map(Number);
}

test(
  "LevelStore has every acknowledged record after kill -9, again and again",
  () =>
    withFolder(async (dir) => {
      for (const count of [1, 500, 20_000, 60_000]) {
        const acknowledged = await killedWriter(dir, count);
        expect(acknowledged.length).toBeGreaterThanOrEqual(count);
        expect(acknowledged).not.toContain(NaN);
        const store = await openLevelStore(dir);
        const found = new Set(await sequences(store));
        expect(acknowledged.filter((seq) => !found.has(seq))).toEqual([]);
        expect(store.stats).toMatchObject({ corruptRecords: 0, lostBytes: 0, repaired: false, setAside: undefined });
        await store.close();
      }
    }),
  60_000,
);
