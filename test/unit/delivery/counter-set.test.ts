import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CounterSet } from "../../../src/delivery/destination/counter-set.ts";

describe("CounterSet", () => {
  it("knows what a Set knows from its floor on, whatever comes, and however far the floor is raised", () => {
    const step = fc.record({
      up: fc.oneof(fc.nat(3), fc.nat(200), fc.nat(100_000)),
      what: fc.constantFrom("add", "add", "add", "has", "raise"),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(0, 31, 0xfff0_0000), (steps, first) => {
        const [made, known] = [new CounterSet(), new Set<number>()];
        let floor: number = first;
        for (const { up, what } of steps) {
          const counter = floor + up;
          if (what === "add") {
            made.add(counter);
            known.add(counter);
          } else if (what === "raise") {
            made.forget(floor, counter);
            floor = counter;
          }
          expect(made.has(floor + up)).toBe(known.has(floor + up));
        }
        for (const each of known) if (each >= floor) expect(made.has(each)).toBe(true);
      }),
    );
  });
});
