import { type Account, broken } from "./account.ts";
import type { FaultName } from "./churn.ts";
import { type Course, leaks, RESOURCES } from "./resources.ts";
import type { Kind, Sent } from "./traffic.ts";

export interface Findings {
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
  readonly sent: readonly Sent[];
  readonly account: Account;
  /** Milliseconds from a node's return to its first answer across the mesh: with all of its lines whole, and with some hurt. */
  readonly returns: { readonly whole: readonly number[]; readonly hurt: readonly number[] };
  /** The same after the last fault, for every node; undefined where it never answered. */
  readonly healed: ReadonlyMap<string, number | undefined>;
  readonly courses: readonly Course[];
  /** What the run itself found out of order. */
  readonly troubles: readonly string[];
}

/** Milliseconds that every node may take to answer once nothing is wrong any more: a silent link, and the longest wait between two dials. */
const HEAL = 40_000;

/** Every promise that was broken; none: all is well. */
export function verdict(findings: Findings): readonly string[] {
  const late = [...findings.healed].filter(([, milliseconds]) => milliseconds === undefined || milliseconds > HEAL);
  return [
    ...broken(findings.account),
    ...late.map(([id, ms]) => `${id} ${ms === undefined ? "did not answer" : `answered only ${seconds(ms)} s`} after the last fault`),
    ...leaks(findings.courses, findings.account.sent),
    ...findings.troubles,
  ];
}

export function format(findings: Findings): string {
  const { account, sent, returns, healed, courses } = findings;
  const wrong = verdict(findings);
  return [
    `${findings.nodes} nodes, ${findings.minutes} min, seed ${findings.seed}`,
    `faults     ${pairs(findings.faults)}`,
    ...formatAccount(account, sent),
    `returns    ${returns.whole.length} nodes came back with whole lines; first answer after ${quantiles(returns.whole)}`,
    `           ${returns.hurt.length} with slow or cut ones; ${quantiles(returns.hurt)}`,
    `healed     every node answers after the last fault: ${quantiles([...healed.values()].filter((ms) => ms !== undefined))}`,
    ...table(courses),
    wrong.length === 0 ? "every promise was kept" : `BROKEN:\n${wrong.map((line) => `  ${line}`).join("\n")}`,
  ].join("\n");
}

/** What became of the messages, in all and by kind. */
export function formatAccount(account: Account, sent: readonly Sent[]): readonly string[] {
  const kinds = [...new Set(sent.map(({ kind }) => kind))].sort();
  return [
    `messages   ${account.sent} sent: ${pairs(account.outcomes)}`,
    `errors     ${pairs(account.errors)}`,
    `lost       ${account.lost.length}, run twice ${account.twice.length}, refused but run ${account.belied.length}, interrupted without a restart ${account.unharmed.length}, ended wrongly ${account.wrong.length}`,
    ...kinds.map((kind) => `  ${kind.padEnd(9)}${ofKind(sent, kind)}`),
  ];
}

function ofKind(sent: readonly Sent[], kind: Kind): string {
  const these = sent.filter((message) => message.kind === kind);
  const done = these.filter(({ outcome }) => outcome === "done");
  const share = these.length === 0 ? 0 : (100 * done.length) / these.length;
  return `${these.length} sent, ${share.toFixed(2)} % done, after ${quantiles(done.map(({ took }) => took))}`;
}

const COLUMNS = ["begin", "1/4", "1/2", "3/4", "end", "most", "per hour"];

function table(courses: readonly Course[]): string[] {
  const rows = RESOURCES.flatMap((resource) => {
    const show = resource === "resident" || resource === "heap" ? mebibytes : plain;
    const these = courses.filter((course) => course.resource === resource);
    return these.map(({ node, quarters, most, perHour }) =>
      [resource.padEnd(12), node.padEnd(12), ...[...quarters, most, perHour].map((value) => show(value).padStart(11))].join(""),
    );
  });
  return [
    "of the processes that were never restarted (the controller holds a record of each message too):",
    ["resource".padEnd(12), "node".padEnd(12), ...COLUMNS.map((head) => head.padStart(11))].join(""),
    ...rows,
  ];
}

function quantiles(milliseconds: readonly number[]): string {
  if (milliseconds.length === 0) return "-";
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number): string => seconds(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return `p50 ${at(0.5)} s, p95 ${at(0.95)} s, p99 ${at(0.99)} s, most ${at(1)} s`;
}

const seconds = (milliseconds: number): string => (milliseconds / 1_000).toFixed(3);
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const plain = (value: number): string => value.toFixed(1);

function pairs(counts: Readonly<Record<string, number | undefined>>): string {
  const entries = Object.entries(counts).sort(([, a], [, b]) => (b ?? 0) - (a ?? 0));
  return entries.length === 0 ? "none" : entries.map(([name, count]) => `${name} ${count}`).join(", ");
}
