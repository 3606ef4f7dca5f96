import * as fc from "fast-check";
import { expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { Database } from "../../../src/routing/database.ts";
import { encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { readHead } from "../../../src/wire/advertisement-layout.ts";
import { said } from "./alone.ts";

const NODES = 24;

/** One node says whom it is linked to; a peer may be listed twice, and a node may list itself. */
const statement = fc.record({
  node: fc.nat(NODES - 1),
  links: fc.oneof(
    fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 3 })), { maxLength: 6 }),
    fc.array(fc.tuple(fc.nat(NODES - 1), fc.integer({ min: 1, max: 3 })), { minLength: 15, maxLength: 20 }),
  ),
  gone: fc.boolean(),
});

it("Graph has the same edges whether advertisements came one after the other or only the last of each node", () => {
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 60 }), (statements) => {
      const all = new Database();
      const last = new Map<number, (typeof statements)[number]>();
      for (const [sequence, one] of statements.entries()) {
        hear(all, one, sequence + 1);
        last.set(one.node, one);
      }
      const only = new Database();
      for (const one of last.values()) hear(only, one, 1);
      expect(edges(all)).toEqual(edges(only));
    }),
  );
});

function hear(
  database: Database,
  { node, links, gone }: { node: number; links: [number, number][]; gone: boolean },
  sequence: number,
): void {
  const listed = links.map(([peer, cost]) => ({ peer: nodeId(`n${peer}`), cost }));
  const raw = encodeAdvertisement(said(`n${node}`, { sequence, links: listed }));
  const head = readHead(new DataView(raw.buffer, raw.byteOffset, raw.byteLength), 0);
  const record = database.find(nodeId(`n${node}`)) ?? database.create(nodeId(`n${node}`), head);
  if (gone && links.length === 0) database.bury(0, record);
  else database.put(0, record, { ...head, raw, age: 0 });
}

function edges(database: Database): string[] {
  return database.graph
    .edges()
    .map(({ between, cost }) => `${between.join(" ")} ${cost}`)
    .toSorted();
}
