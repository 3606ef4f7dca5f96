import { describe, expect, it } from "vitest";
import { parseDuration } from "../src/duration.ts";
import plugin from "../src/index.ts";
import { collect, isEndedBy, runAction } from "../../../test/support/plugin-harness.ts";

describe("parseDuration", () => {
  it.each([
    ["500", 500],
    ['"500"', 500],
    ["20ms", 20],
    ["1.5s", 1500],
    [" 2m\n", 120_000],
    ["1h", 3_600_000],
    ['{"ms":7}', 7],
    ["0", 0],
  ])("reads %s", (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

  it.each(["", "soon", "-1", "5 weeks", '{"ms":"5"}', '{"ms":-1}', "{", "25d", "9999h"])("refuses %s with INVALID_ARGUMENT", (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("sleep:run", () => {
  it("waits as long as it is told, and says how long", async () => {
    const started = performance.now();
    expect(await collect(runAction(plugin, "run", "30ms"))).toMatchObject([{ payload: { slept: 30 } }]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(29);
  });

  it("ends at once with the signal's reason", async () => {
    const abort = new AbortController();
    const reason = new Error("cancelled");
    const sleeping = collect(runAction(plugin, "run", "1h", { signal: abort.signal }));
    setImmediate(() => abort.abort(reason));
    await expect(sleeping).rejects.toSatisfy(isEndedBy(reason));
  });
});
