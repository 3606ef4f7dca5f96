import { expect } from "vitest";
import { type ErrorCode, isMeshError } from "../../src/core/errors.ts";

/** Milliseconds that one input may take, on a machine that is busy with other tests: the first runs of a function are slow. */
const MOST = 250;

/** Runs `read`, which may only give a value or throw a MeshError with one of `codes`, and soon. Returns whether it gave one. */
export function onlyTyped(codes: readonly ErrorCode[], read: () => unknown): boolean {
  const began = performance.now();
  let fine = true;
  try {
    read();
  } catch (error) {
    if (!isMeshError(error)) throw error;
    expect(codes).toContain(error.code);
    fine = false;
  }
  expect(performance.now() - began).toBeLessThan(MOST);
  return fine;
}
