import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("./heap-room-program.ts", import.meta.url));
const BYTES = 1_500 * 64 * 32 * 1024;

/** A process whose heap may grow by a tenth at a time, as V8 lets it after some idle time. */
async function collections(...args: readonly string[]): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--heap-growing-percent=10", "--import", "tsx", PROGRAM, ...args]);
  const { collected, bytes } = JSON.parse(stdout) as { readonly collected: number; readonly bytes: number };
  expect(bytes).toBe(BYTES);
  return collected;
}

describe("HeapRoom", () => {
  test("spares a process that reads payloads most collections of its whole heap", async () => {
    const [left, watched] = [await collections(), await collections("watched")];
    expect(left).toBeGreaterThan(50);
    expect(watched).toBeLessThan(left / 2);
  });
});
