import { expect, test } from "vitest";
import { broken } from "./account.ts";
import { ten } from "./ten.ts";

test("ten nodes, of which one is killed every second, lose nothing, run nothing twice, and do 99 % of what they are sent", async () => {
  const { account, kills, crashes } = await ten(1, 12_000, "in turn");
  expect(broken(account)).toEqual([]);
  expect(crashes).toEqual([]);
  expect(kills).toBeGreaterThanOrEqual(8);
  expect(account.sent).toBeGreaterThan(1_000);
  expect((account.outcomes.done ?? 0) / account.sent, JSON.stringify(account.errors)).toBeGreaterThanOrEqual(0.99);
});
