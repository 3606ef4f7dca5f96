import type { Measure, Sample } from "../measure.ts";
import type { Child } from "../support/child.ts";

/** Real processes, each with one node that dials two that were there before it. */
export function join(quick: boolean): Measure {
  const count = quick ? 6 : 30;
  return {
    name: "join",
    what: `${count} processes: from the start of the last node until every table is full; then one more, until all have it`,
    units: { "all full": "ms", "one more": "ms" },
    goals: [
      { contender: "mesh", value: "all full", most: 1_000 },
      { contender: "mesh", value: "one more", most: 300 },
    ],
    expected: { messages: count + count + 1, bytes: 0 },
    rounds: 3,
    warm: 0,
    contenders: (stage) => {
      const members = Array.from({ length: count + 1 }, () => stage.child("members.mjs"));
      return Promise.resolve([{ name: "mesh", run: (round) => meshOf(members, round) }]);
    },
  };
}

async function meshOf(members: readonly Child[], round: number): Promise<Sample> {
  const urls: string[] = [];
  const [more, rest] = [members.at(-1), members.slice(0, -1)];
  if (more === undefined) throw new TypeError("no members");
  const begin = async (child: Child): Promise<number> => {
    const i = urls.length;
    const peers = [...new Set([i - 1, i >> 1])].flatMap((peer) => urls[peer] ?? []);
    const began = performance.timeOrigin + performance.now();
    const [url = ""] = await child.ask<readonly string[]>("start", { members: [{ id: `member-${round}-${i}`, peers }] });
    urls.push(url);
    return began;
  };
  let began = 0;
  for (const child of rest) began = await begin(child);
  const full = await Promise.all(rest.map((child) => child.ask<number>("full", { count: rest.length - 1 })));
  const later = await begin(more);
  const joined = await Promise.all(members.map((child) => child.ask<number>("full", { count: rest.length })));
  await Promise.all(members.map((child) => child.ask("leave")));
  const values = { "all full": Math.max(...full) - began, "one more": Math.max(...joined) - later };
  return { values, messages: full.length + joined.length, bytes: 0 };
}
