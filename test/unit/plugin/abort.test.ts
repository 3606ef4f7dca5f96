import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { WorkAbort } from "../../../src/plugin/abort.ts";

const first = new MeshError("CANCELLED", "first");
const second = new MeshError("DEADLINE_EXCEEDED", "second");

describe("WorkAbort", () => {
  it("aborts the signal that was asked for before, after its own listeners, with the first reason", () => {
    const abort = new WorkAbort();
    const heard: string[] = [];
    abort.signal.addEventListener("abort", () => heard.push("signal"));
    abort.onAbort(() => heard.push("listener"));
    abort.abort(first);
    abort.abort(second);
    expect(heard).toEqual(["listener", "signal"]);
    expect(abort.signal.reason).toBe(first);
    expect(() => abort.throwIfAborted()).toThrow(first);
  });

  it("tells nobody once its work is over", () => {
    const abort = new WorkAbort();
    const { signal } = abort;
    abort.close();
    abort.abort(first);
    expect([signal.aborted, abort.reason]).toEqual([false, undefined]);
  });

  it("gives a signal that is aborted already where it is asked for late", () => {
    const abort = new WorkAbort();
    abort.abort(first);
    expect(abort.signal.aborted).toBe(true);
    expect(abort.signal.reason).toBe(first);
  });

  it("forgets a listener that was taken off", () => {
    const abort = new WorkAbort();
    let heard = 0;
    const listener = (): void => void heard++;
    abort.onAbort(listener);
    abort.offAbort(listener);
    abort.abort(first);
    expect(heard).toBe(0);
  });
});
