import { setFlagsFromString } from "node:v8";

/**
 * What a start loads stays, and V8 takes that for a reason to give new objects 16 MiB and soon 32, of which a node with little to do needs
 * little. So in its first steps the young generation grows to 8 MiB at once, and not beyond before the node is ready. It must not be
 * less: with 2 MiB a node that has much to do spends up to twice the processor time.
 */
export function growYoungGenerationOnce(): void {
  growBy(4);
}

/** To be called when the first step has made it grow. */
export function holdYoungGeneration(): void {
  growBy(1);
}

/** As V8 does by itself: doubled whenever as much as it holds has outlived it. */
export function letYoungGenerationGrow(): void {
  growBy(2);
}

function growBy(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}
