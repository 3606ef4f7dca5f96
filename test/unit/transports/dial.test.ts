import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connectedPipes } from "../../../src/transports/memory-pipe.ts";
import { bounded } from "../../../src/transports/dial.ts";
import type { DialOptions, Pipe } from "../../../src/transports/transport.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";

const url = parseMeshUrl("tcp://10.0.0.1:8888");
const { signal } = new AbortController();

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A dial that nobody answers: what came of it by now. */
function unanswered(options: DialOptions): { readonly outcome: () => unknown } {
  let outcome: unknown = "dials";
  const forever = (stop: AbortSignal): Promise<Pipe> =>
    new Promise((_, reject) => stop.addEventListener("abort", () => reject(new Error("the socket was destroyed"))));
  bounded(url, options, forever).catch((error: unknown) => (outcome = error));
  return { outcome: () => outcome };
}

describe("bounded", () => {
  test.each([
    ["10 s, where nobody says how long", { signal }, 10_000],
    ["as long as its caller says", { signal, timeout: 300 }, 300],
  ])("gives a dial %s", async (_, options, limit) => {
    const dial = unanswered(options);
    await vi.advanceTimersByTimeAsync(limit - 1);
    expect(dial.outcome()).toBe("dials");
    await vi.advanceTimersByTimeAsync(1);
    expect(dial.outcome()).toMatchObject({ code: "TIMEOUT" });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("closes a pipe that comes after all", async () => {
    const [near] = connectedPipes(url, url, setImmediate);
    const close = vi.spyOn(near, "close");
    let arrive = (_pipe: Pipe): void => undefined;
    const dial = bounded(url, { signal, timeout: 300 }, () => new Promise((resolve) => (arrive = resolve)));
    const failed = expect(dial).rejects.toMatchObject({ code: "TIMEOUT" });
    await vi.advanceTimersByTimeAsync(300);
    arrive(near);
    await failed;
    expect(close).toHaveBeenCalledWith(true);
  });
});
