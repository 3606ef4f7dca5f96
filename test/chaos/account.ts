import type { Outcome, Sent } from "./traffic.ts";

/** What became of all messages, held against what the nodes have run. */
export interface Account {
  readonly sent: number;
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** How often each error came. */
  readonly errors: Readonly<Record<string, number>>;
  /** Run more than once. */
  readonly twice: readonly Sent[];
  /** The runs of those. */
  readonly runs: readonly string[];
  /** Without an end at their sender, or done there and run nowhere. */
  readonly lost: readonly Sent[];
  /** Refused, and run all the same. */
  readonly belied: readonly Sent[];
  /** Said to be interrupted by the restart of a node that was never restarted. One that forgot, after its time, says RESPONSES_GONE. */
  readonly unharmed: readonly Sent[];
  /** Ended with an answer that is not theirs, or with an error that no fault explains. */
  readonly wrong: readonly Sent[];
}

/** One run, as the node noted it. */
export interface Run {
  readonly number: number;
  readonly line: string;
}

/** `runs`: all that there were. `steady`: nodes that were never restarted. */
export function account(sent: readonly Sent[], runs: readonly Run[], steady: ReadonlySet<string> = new Set()): Account {
  const times = new Map<number, number>();
  for (const { number } of runs) times.set(number, (times.get(number) ?? 0) + 1);
  const ran = ({ number }: Sent): number => times.get(number) ?? 0;
  return {
    sent: sent.length,
    outcomes: tally(sent.map(({ outcome }) => outcome)),
    errors: tally(sent.filter(({ outcome }) => outcome !== "done" && outcome !== "open").map(({ why }) => why)),
    twice: sent.filter((message) => ran(message) > 1),
    runs: runs.filter(({ number }) => (times.get(number) ?? 0) > 1).map(({ line }) => line),
    lost: sent.filter((message) => message.outcome === "open" || (message.outcome === "done" && ran(message) === 0)),
    belied: sent.filter((message) => message.outcome === "refused" && ran(message) > 0),
    unharmed: sent.filter(({ why, node }) => why === "WORK_INTERRUPTED" && steady.has(node)),
    wrong: sent.filter(({ outcome }) => outcome === "wrong" || outcome === "failed"),
  };
}

function tally<K extends string>(values: readonly K[]): Partial<Record<K, number>> & Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts as Partial<Record<K, number>> & Record<string, number>;
}

/** One line for each promise that was broken. */
export function broken(account: Account): readonly string[] {
  const line = (what: string, messages: readonly Sent[]): string[] =>
    messages.length === 0
      ? []
      : [
          `${messages.length} ${what}: ${messages
            .slice(0, 5)
            .map(({ number, kind, node, why, way }) => `#${number} ${kind} to ${node} ${why} (${way})`)
            .join(", ")}`,
        ];
  return [
    ...line("lost", account.lost),
    ...line("run twice", account.twice),
    ...account.runs.slice(0, 20),
    ...line("refused but run", account.belied),
    ...line("interrupted without a restart", account.unharmed),
    ...line("ended wrongly", account.wrong),
  ];
}
