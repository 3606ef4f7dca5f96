import { expect, test } from "vitest";
import { broken } from "./account.ts";
import { ten } from "./ten.ts";

/**
 * What is on its way to a node in the moment of its kill may have begun there, and is not begun again: so many are lost to the work as
 * arrive in the time in which the others notice. `npm run chaos -- --scenario ten` holds a minute against 99 %; twelve seconds have a
 * dozen kills, and other tests have just run on these processors.
 */
const DONE = 0.97;

test("ten nodes, of which one is killed every second, lose nothing, run nothing twice, and do what they are sent", async () => {
  const { account, kills, crashes } = await ten(1, 12_000);
  expect(broken(account)).toEqual([]);
  expect(crashes).toEqual([]);
  expect(kills).toBeGreaterThanOrEqual(8);
  expect(account.sent).toBeGreaterThan(1_000);
  expect((account.outcomes.done ?? 0) / account.sent, JSON.stringify(account.errors)).toBeGreaterThanOrEqual(DONE);
});
