import type { Contender, Goal, Measure, Sample } from "../measure.ts";
import type { Received } from "../programs/raw-receiver.ts";
import type { Stage } from "../stage.ts";
import { startMesh } from "../stages/mesh.ts";
import { startNats } from "../stages/nats.ts";
import { startRaw } from "../stages/raw.ts";
import { percentile } from "../support/numbers.ts";

const SIZE = 256;
/** Rounds until V8 has compiled all that a work is made of: after the first of them it is a third slower than in the end. */
const WARM = 4;

interface Asked {
  /** Milliseconds that each took. */
  readonly took: readonly number[];
  readonly milliseconds: number;
}
type Counted = Asked & { readonly messages: number };

/** One at a time: how long each takes. */
export function roundTrip(quick: boolean): Measure {
  const value = ({ took }: Asked): Sample["values"] => ({ p50: percentile(took, 0.5) * 1_000, p99: percentile(took, 0.99) * 1_000 });
  const goals = [
    { contender: "mesh", value: "p50", to: "raw relay", most: 1.4 },
    { contender: "mesh", value: "p99", to: "raw relay", most: 2 },
    { contender: "mesh", value: "p50", to: "NATS", most: 1 },
    { contender: "mesh", value: "p99", to: "NATS", most: 1 },
  ];
  return {
    name: "round-trip",
    what: `one work of ${SIZE} bytes and its answer, through one relay`,
    units: { p50: "us", p99: "us" },
    warm: quick ? 1 : WARM,
    ...requests(1, quick ? 1_000 : 5_000, goals, value),
  };
}

/** 64 at a time: how many a second. */
export function smallWorks(quick: boolean): Measure {
  const value = ({ took, milliseconds }: Asked): Sample["values"] => ({ rate: (took.length / milliseconds) * 1_000 });
  return {
    name: "small-works",
    what: `works of ${SIZE} bytes, each answered with as much, 64 outstanding, through one relay`,
    units: { rate: "works/s" },
    warm: quick ? 1 : WARM,
    ...requests(64, quick ? 5_000 : 50_000, [{ contender: "mesh", value: "rate", to: "NATS", least: 4 }], value),
  };
}

/** Requests that are answered. In the mesh: works of `echo:run`, each accepted, run and ended. */
function requests(
  outstanding: number,
  count: number,
  goals: readonly Goal[],
  value: (asked: Asked) => Sample["values"],
): Pick<Measure, "goals" | "expected" | "contenders"> {
  const plan = { count, size: SIZE, outstanding };
  const sample = (asked: Asked, messages: number): Sample => ({ values: value(asked), messages, bytes: messages * SIZE });
  const contenders = async (stage: Stage): Promise<readonly Contender[]> => {
    const [raw, { controller }, nats] = await Promise.all([startRaw(stage, "parse"), startMesh(stage), startNats(stage)]);
    const counted = (name: string, ask: () => Promise<Counted>): Contender => ({
      name,
      run: async () => {
        const asked = await ask();
        return sample(asked, asked.messages);
      },
    });
    return [
      {
        name: "raw relay",
        run: async () => {
          await raw.receiver.ask("expect", { bytes: 0 });
          const asked = await raw.sender.ask<Asked>("requests", { port: raw.port, ...plan });
          return sample(asked, (await raw.receiver.ask<Received>("received")).messages);
        },
      },
      counted("mesh", () => controller.ask<Counted>("requests", plan)),
      ...(nats === undefined ? [] : [counted("NATS", () => nats.sender.ask<Counted>("requests", plan))]),
    ];
  };
  return { goals, expected: { messages: count, bytes: count * SIZE }, contenders };
}
