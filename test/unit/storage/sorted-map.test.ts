import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SortedMap } from "../../../src/storage/sorted-map.ts";

test("SortedMap.range agrees with a sorted plain map after any sets and deletes", () => {
  const key = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), key, fc.integer())), key, key, (changes, from, to) => {
      const map = new SortedMap<number>();
      const model = new Map<string, number>();
      for (const [put, name, value] of changes) {
        if (put) {
          map.set(name, value);
          model.set(name, value);
        } else {
          map.delete(name);
          model.delete(name);
        }
      }
      const expected = [...model].filter(([name]) => name >= from && name < to).toSorted(([a], [b]) => (a < b ? -1 : 1));
      expect(map.range(from, to).map((pair) => [pair.key, pair.value])).toEqual(expected);
      expect(map.size).toBe(model.size);
      expect(map.clone().range("", "~")).toEqual(map.range("", "~"));
    }),
  );
});
