import type { SimNode } from "./node.ts";
import { wrongRoutes } from "./truth.ts";
import { World } from "./world.ts";

/**
 * Which mesh, and which faults. safety: every fault, to the end. liveness: faults, then none. lies: members lie of others in what they
 * pass on of routing. sealed, sealed-liveness: the first two in a mesh with an authority, in which what nodes say to each other is sealed.
 * hostile: sealed, and members do what they like with what passes through them, and write what they like.
 */
export const MODES = ["safety", "liveness", "lies", "sealed", "sealed-liveness", "hostile"] as const;
export type Mode = (typeof MODES)[number];

const RUNS: Readonly<Record<Mode, (world: World) => string[]>> = {
  safety,
  liveness,
  lies,
  sealed: safety,
  "sealed-liveness": liveness,
  hostile,
};

export interface Scenario {
  readonly seed: number;
  readonly nodes: number;
  readonly mode: Mode;
  readonly story?: boolean;
}

export interface Verdict {
  readonly wrong: readonly string[];
  readonly story: readonly string[];
  readonly steps: number;
  readonly frames: number;
  /** By why: frames that no node took. */
  readonly refused: ReadonlyMap<string, number>;
  /** By how they ended at their senders. */
  readonly endings: ReadonlyMap<string, number>;
}

const TROUBLE = 60_000;
const TTL = 20_000;
/** For so long members are hostile while messages are sent. */
const HOSTILE = 40_000;
/** By then no session of before is taken any more, and what came under it may be forgotten. */
const OVER = 9_600_000;
/** Steps that a node may cause in a virtual second: more is a storm, or a loop that feeds itself. */
const BUDGET = 3_000;

/** A dial to a silent host takes 10 s to fail, the next comes within 15 s, and has its exchange to do. */
const LINKED = 28_000;
/** After the last change every table is right. */
const CONVERGED = 5_000;
/** What was lost before is sent again by then, and answered. */
const RESENT = 16_000;
/** An advertisement lives 190 s, and its node is remembered in no table after that. */
const AGED = 200_000;
/** By then every node has said again what it is. */
const REFRESHED = 70_000;
/** How a message may not end that had the time, and a way. */
const LATE: ReadonlySet<string> = new Set(["EXPIRED", "NO_ROUTE", "HOP_LIMIT"]);

/** Runs one world from its seed, and says what was wrong. */
export function run(scenario: Scenario): Verdict {
  const { mode } = scenario;
  const sealed = mode === "sealed" || mode === "sealed-liveness" || mode === "hostile";
  const world = new World({
    ...scenario,
    lies: mode === "lies",
    sealed,
    hostile: mode === "hostile",
    clocksAgree: mode === "sealed-liveness",
  });
  const problems = RUNS[mode](world);
  const { ledger, clock, watch, story } = world;
  const seconds = clock.now / 1_000;
  if (clock.steps > BUDGET * scenario.nodes * seconds) problems.push(`more than ${BUDGET} steps a node and second: ${clock.steps}`);
  const endings = new Map<string, number>();
  for (const { ending, orphan } of ledger.sent.values()) {
    const how = ending ?? (orphan ? "orphan" : "open");
    endings.set(how, (endings.get(how) ?? 0) + 1);
  }
  return { wrong: [...ledger.wrong, ...problems], story, steps: clock.steps, frames: watch.frames, endings, refused: ledger.refused };
}

/** Every fault, to the end: nothing that must never be, ever is; and nothing is overdue at a sender that runs. */
function safety(world: World): string[] {
  const { clock, faults, random, network } = world;
  if (random() < 0.5) network.losses = 0.03;
  if (random() < 0.5) network.doubles = 0.05;
  if (random() < 0.5) network.shuffles = 0.05;
  world.startAll(TROUBLE / 2);
  world.sendBetween(500, TROUBLE, 60, TTL);
  faults.plan(2_000, TROUBLE);
  for (let at = 5_000; at <= TROUBLE + 10_000; at += 2_500) clock.at(at, () => world.checkOverdue());
  clock.runUntil(TROUBLE + 10_000);
  return leavers(world);
}

/** Faults, then none: within bounds everything works. */
function liveness(world: World): string[] {
  const { clock, faults, nodes, random } = world;
  const problems: string[] = [];
  const expect = (what: string, wrong: readonly string[]): void => {
    if (wrong.length > 0) problems.push(`${what}: ${wrong.slice(0, 3).join("; ")} (${wrong.length})`);
  };
  if (random() < 0.5) world.network.losses = 0.1;
  world.startAll(10_000);
  world.sendBetween(500, 20_000, 20, 90_000);
  faults.plan(2_000, 15_000);
  clock.runUntil(18_000);
  const unlucky = nodes[world.below(nodes.length)];
  if (unlucky !== undefined && random() < 0.5) faults.relapse(unlucky);
  clock.runUntil(21_000);
  faults.heal();
  expect("not linked again after healing", settle(world, nodes));
  expect("I4 after healing", wrongRoutes(nodes));
  clock.runUntil(clock.now + RESENT);
  expect("not done though all had healed", undone(world));

  const before = world.ledger.sent.size;
  world.sendBetween(clock.now, clock.now + 100, 20, 60_000);
  clock.runUntil(clock.now + 2_000);
  expect("not accepted in a mesh without faults", undone(world, before));

  // Frames are lost while no route changes: nothing but its sender's timer sends a message again.
  const lossy = world.ledger.sent.size;
  world.network.losses = 0.3;
  world.sendBetween(clock.now, clock.now + 100, 10, 60_000);
  clock.runUntil(clock.now + 2_000);
  world.network.losses = 0;
  clock.runUntil(clock.now + RESENT);
  expect("not done though frames are lost no more", undone(world, lossy));

  // A cut that is shorter than the patience of a link, or one that is longer; it heals.
  const side = nodes.filter(() => random() < 0.5);
  const other = nodes.filter((node) => !side.includes(node));
  const long = random() < 0.5;
  const heal = faults.cut(side, other);
  clock.runUntil(clock.now + (long ? 40_000 : 8_000));
  if (long) expect("I4 in a mesh that is cut", wrongRoutes(nodes));
  heal();
  expect("not linked again after the cut", settle(world, nodes));
  expect("I4 after the cut", wrongRoutes(nodes));

  // One leaves for good: no route leads there soon, and nobody remembers it after it has aged out.
  const gone = nodes[world.below(nodes.length)];
  if (gone === undefined) return problems;
  world.bereave(gone, false);
  gone.crash(false);
  clock.runUntil(clock.now + CONVERGED);
  expect("I4 after a node has died", wrongRoutes(nodes));
  clock.runUntil(clock.now + AGED);
  const remember = nodes.filter(({ engine }) => engine?.routing.advertisement(gone.id) !== undefined);
  expect(
    "still remember a dead node",
    remember.map(({ id }) => id),
  );
  expect(
    "kept on the disk what waits no more (I7)",
    nodes.filter(({ engine, store }) => engine?.delivery.park.messages === 0 && store.count("park/") > 0).map(({ id }) => id),
  );
  return [...problems, ...leavers(world)];
}

/** Members lie of others, and nobody believes them; when they have stopped, everything is as if they never had. */
function lies(world: World): string[] {
  const { clock, faults, nodes, liars } = world;
  world.startAll(10_000);
  faults.plan(2_000, 30_000);
  clock.runUntil(40_000);
  const told = liars.reduce((sum, liar) => sum + liar.lies, 0);
  world.tell(`${liars.map(({ id }) => id).join(", ")} told ${told} lies`);
  for (const liar of liars) liar.share = 0;
  faults.heal();
  const late = settle(world, nodes);
  // What a liar has twisted its neighbours have not heard, until it is said again.
  clock.runUntil(clock.now + REFRESHED);
  const wrong = wrongRoutes(nodes);
  return [
    ...(world.authority?.leaps ?? []).slice(0, 3).map((what) => `I8: ${what}`),
    ...late.slice(0, 3).map((pair) => `not linked again after the lies: ${pair}`),
    ...wrong.slice(0, 3).map((what) => `I4 after the lies: ${what}`),
    ...leavers(world),
  ];
}

/** Members are hostile, and harm only what they could have dropped; when they have stopped, nothing is left of it. */
function hostile(world: World): string[] {
  const { clock, faults, nodes, random, ledger } = world;
  world.startAll(10_000);
  world.sendBetween(500, HOSTILE, 60, TTL);
  faults.plan(2_000, HOSTILE);
  for (let at = 5_000; at <= HOSTILE + 30_000; at += 2_500) clock.at(at, () => world.checkOverdue());
  clock.runUntil(HOSTILE + 30_000);
  faults.heal();
  // What they have kept they say again after minutes; at times when all sessions of then are over, and much is forgotten.
  const pause = random() < 0.05 ? OVER : 60_000 * (1 + random());
  clock.runUntil(clock.now + pause);
  for (const each of world.hostile) each.sayAllAgain();
  clock.runUntil(clock.now + RESENT);
  for (const each of world.hostile) each.stop();
  world.tell(world.hostile.map(({ id, deeds }) => `${id} did ${deeds} deeds`).join(", "));
  const late = settle(world, nodes);
  clock.runUntil(clock.now + RESENT);
  const before = ledger.sent.size;
  world.sendBetween(clock.now, clock.now + 100, 20, 60_000);
  clock.runUntil(clock.now + RESENT);
  const after = [...ledger.sent.values()].slice(before);
  return [
    ...(world.hostile.some(({ lies: any }) => any) ? [] : ledger.toldWrong()),
    ...late.slice(0, 3).map((pair) => `not linked again after the hostile deeds: ${pair}`),
    ...undone(world, before).map((what) => `not accepted after the hostile deeds: ${what}`),
    ...after.flatMap((sent) => (sent.ending === "DENIED" ? [`S5: ${ledger.name(sent)} was denied after the hostile deeds`] : [])),
    ...leavers(world),
  ];
}

/** Lets links come back, and routes after them. */
function settle(world: World, nodes: readonly SimNode[]): string[] {
  const { clock } = world;
  const missing = (): string[] =>
    nodes.flatMap((node) => {
      const linked = new Set([...(node.engine?.links.list() ?? [])].filter(({ adjacent }) => adjacent).map(({ peer }) => String(peer)));
      return node.peers.filter(({ host }) => !linked.has(host)).map(({ host }) => `${node.id} - ${host}`);
    });
  const until = clock.now + LINKED;
  while (missing().length > 0 && clock.now < until) clock.runUntil(clock.now + 250);
  const late = missing();
  clock.runUntil(clock.now + CONVERGED);
  return late;
}

/** Messages that everything was there for, from the one with this index on: what had time has been taken. */
function undone({ ledger, clock }: World, first = 0): string[] {
  const wrong: string[] = [];
  for (const sent of [...ledger.sent.values()].slice(first)) {
    const { ending, accepted, orphan, cancelled, from } = sent;
    // A wall clock that was set forth while the node was off is as if it had been off so long.
    const aged = sent.durable && from.starts > 1 && from.setForth;
    if (aged || orphan || cancelled || accepted || (ending !== undefined && !LATE.has(ending))) continue;
    if (ending === undefined || sent.at + sent.ttl > clock.now) wrong.push(`${ledger.name(sent)} is ${ending ?? "open"}`);
  }
  return wrong;
}

/** R4: no node of a mesh without doubles is told to leave. */
function leavers({ nodes }: World): string[] {
  return nodes.flatMap(({ id, fatal }) => (fatal === undefined ? [] : [`R4: ${id} was told to leave: ${fatal.message}`]));
}
