import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo } from "../../../src/core/fifo.ts";

describe("Fifo", () => {
  it("gives back in the order in which they came, like an array", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3_000, max: 3_000 }), { maxLength: 20 }), (steps) => {
        const [fifo, model] = [new Fifo<{ n: number }>(), [] as { n: number }[]];
        let n = 0;
        for (const step of steps) {
          for (let i = 0; i < step; i++) {
            const item = { n: n++ };
            fifo.push(item);
            model.push(item);
          }
          let same = true;
          for (let i = 0; i < -step; i++) same = fifo.shift() === model.shift() && same;
          expect([same, fifo.size]).toEqual([true, model.length]);
        }
      }),
      { numRuns: 50 },
    );
  });
});
