import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CounterMap } from "../../../src/delivery/destination/counter-map.ts";

describe("CounterMap", () => {
  it("knows what a Map knows, whatever comes and goes", () => {
    const counter = fc.oneof(fc.nat(40), fc.nat(0xffff_ffff), fc.constant(0xffff_ffff));
    const step = fc.record({ counter, place: fc.nat(2 ** 40), what: fc.constantFrom("set", "set", "delete", "get") });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const [made, known] = [new CounterMap(), new Map<number, number>()];
        for (const { counter: each, place, what } of steps) {
          if (what === "set") {
            made.set(each, place);
            known.set(each, place);
          } else if (what === "delete") {
            made.delete(each);
            known.delete(each);
          }
          expect(made.get(each)).toBe(known.get(each));
          expect(made.size).toBe(known.size);
        }
        for (const [each, place] of known) expect(made.get(each)).toBe(place);
      }),
    );
  });
});
