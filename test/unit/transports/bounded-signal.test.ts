import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { boundedSignal } from "../../../src/transports/bounded-signal.ts";

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect();
}

describe("boundedSignal", () => {
  test("aborts when the time is over, also where garbage was collected meanwhile", async () => {
    const outer = new AbortController();
    const { signal } = boundedSignal(outer.signal, 60);
    const aborted = new Promise<unknown>((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
    for (let i = 0; i < 3; i++) {
      await pause(10);
      collectGarbage();
    }
    expect(await aborted).toMatchObject({ name: "TimeoutError" });
    expect(outer.signal.aborted).toBe(false);
  });

  test("aborts as the outer one does, before or after", async () => {
    const outer = new AbortController();
    const { signal } = boundedSignal(outer.signal, 60_000);
    const why = new Error("enough");
    outer.abort(why);
    expect(signal.reason).toBe(why);
    expect(boundedSignal(outer.signal, 60_000).signal.reason).toBe(why);
  });

  test("released, it aborts no more", async () => {
    const outer = new AbortController();
    const { signal, release } = boundedSignal(outer.signal, 10);
    release();
    outer.abort();
    await pause(30);
    expect(signal.aborted).toBe(false);
  });
});
