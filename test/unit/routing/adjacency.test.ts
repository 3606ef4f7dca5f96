import * as fc from "fast-check";
import { expect, it } from "vitest";
import { Adjacency } from "../../../src/routing/adjacency.ts";

it("Adjacency holds the edges that were added and not removed, in their order, however runs move", () => {
  const act = fc.record({
    kind: fc.constantFrom("add", "add", "add", "remove", "clear"),
    from: fc.nat(20),
    to: fc.nat(20),
    cost: fc.nat(1_000),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 400 }), (acts) => {
      const adjacency = new Adjacency();
      const model = new Map<number, [number, number][]>();
      for (const { kind, from, to, cost } of acts) {
        adjacency.grow(from + 1);
        const edges = model.get(from) ?? [];
        if (kind === "add") {
          adjacency.add(from, to, cost);
          model.set(from, [...edges, [to, cost]]);
        } else if (kind === "remove") {
          adjacency.remove(from, to);
          const at = edges.findIndex(([other]) => other === to);
          model.set(from, at < 0 ? edges : edges.toSpliced(at, 1));
        } else {
          adjacency.clear(from);
          model.set(from, []);
        }
      }
      for (const [from, edges] of model) {
        const start = adjacency.start[from] ?? 0;
        expect([...adjacency.pairs.subarray(start, start + 2 * (adjacency.count[from] ?? 0))]).toEqual(edges.flat());
      }
    }),
  );
});
