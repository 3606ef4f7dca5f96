import type { Entry, Run } from "./ledger.ts";

/** What came of all messages. */
export interface Verdict {
  readonly sent: number;
  /** Accepted, parked, or found in the origin's store after its death. */
  readonly acknowledged: number;
  readonly parked: Readonly<Record<string, number>>;
  readonly ran: number;
  /** How often each outcome was told. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What must be empty: one line for each breach. */
  readonly breaches: readonly string[];
}

/** Outcomes of a message that may or may not have run, as its sender was told. */
const OPEN: ReadonlySet<string> = new Set(["WORK_INTERRUPTED", "EXPIRED"]);

/** Holds what the origin was told, and what its store held at its deaths, against what ran. */
export function judge(ledger: readonly Entry[], stored: ReadonlySet<string>, runs: readonly Run[]): Verdict {
  const breaches: string[] = [];
  const ran = new Set<string>();
  const numbers = new Set<string>();
  for (const { id, number } of runs) {
    if (ran.has(id) || numbers.has(number)) breaches.push(`${number} (${id}) ran twice`);
    ran.add(id);
    numbers.add(number);
  }
  const parked: Record<string, number> = {};
  const outcomes: Record<string, number> = {};
  const ends = new Map<string, string>();
  const acknowledged = new Set(stored);
  let sent = 0;
  for (const entry of ledger) {
    if (entry.type === "life") continue;
    if (entry.type === "sent") sent++;
    if (entry.type === "parked") parked[entry.node] = (parked[entry.node] ?? 0) + 1;
    if (entry.type === "parked" || entry.type === "accepted") acknowledged.add(entry.id);
    if (entry.type !== "end") continue;
    outcomes[entry.outcome] = (outcomes[entry.outcome] ?? 0) + 1;
    const before = ends.get(entry.id);
    if (before !== undefined) breaches.push(`${entry.id} ended as ${before}, then as ${entry.outcome}`);
    ends.set(entry.id, entry.outcome);
  }
  for (const id of acknowledged) {
    const end = ends.get(id);
    if (end === undefined) breaches.push(`${id} was acknowledged and has no end`);
    else if (!ran.has(id) && !OPEN.has(end)) breaches.push(`${id} was acknowledged, ended as ${end}, and never ran`);
  }
  for (const [id, end] of ends) {
    if (end === "succeeded" && !ran.has(id)) breaches.push(`${id} succeeded and never ran`);
    if (end !== "succeeded" && end !== "RESPONSES_GONE" && !OPEN.has(end) && ran.has(id)) breaches.push(`${id} ended as ${end} and ran`);
  }
  return { sent, acknowledged: acknowledged.size, parked, ran: runs.length, outcomes, breaches };
}
