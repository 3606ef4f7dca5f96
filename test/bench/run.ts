import type { Goal, Measure, Sample } from "./measure.ts";
import { Stage } from "./stage.ts";
import { median } from "./support/numbers.ts";

/** A goal, and how near the figure came. */
export interface Reached extends Goal {
  /** In the unit of its limits: the median of the rounds' ratios where it compares, else the figure. */
  readonly is: number;
}

/** One contender's figures for one value of a measure. */
export interface Row {
  readonly measure: string;
  readonly what: string;
  readonly contender: string;
  readonly value: string;
  readonly unit: string;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
  /** To the first contender: the median of the ratios in each round. */
  readonly ratio: number;
  readonly goals: readonly Reached[];
  /** Counted at the far end, in all rounds. */
  readonly messages: number;
  readonly bytes: number;
}

type Samples = ReadonlyMap<string, readonly Sample[]>;

/** Runs the contenders in turn, round by round, after those that do not count. Throws where the far end did not get all. */
export async function runMeasure(measure: Measure, asked: number): Promise<readonly Row[]> {
  const rounds = Math.min(asked, measure.rounds ?? asked);
  const stage = new Stage();
  try {
    const contenders = await measure.contenders(stage);
    const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]));
    for (let round = 1 - (measure.warm ?? 1); round <= rounds; round++) {
      for (const { name, run } of contenders) {
        const sample = await run(round);
        check(measure, name, sample);
        if (round > 0) samples.get(name)?.push(sample);
      }
    }
    return [...samples].flatMap(([contender, list]) => rowsOf(measure, contender, list, samples));
  } finally {
    await stage.close();
  }
}

function check(measure: Measure, name: string, sample: Sample): void {
  const { messages, bytes } = measure.expected;
  if (sample.messages === messages && sample.bytes === bytes) return;
  throw new Error(`${measure.name}, ${name}: ${sample.messages} messages and ${sample.bytes} bytes arrived, of ${messages} and ${bytes}`);
}

function rowsOf(measure: Measure, contender: string, list: readonly Sample[], samples: Samples): readonly Row[] {
  const [first = []] = samples.values();
  const present = Object.entries(measure.units).filter(([value]) => list.some(({ values }) => value in values));
  return present.map(([value, unit]) => {
    const values = valuesOf(list, value);
    return {
      measure: measure.name,
      what: measure.what,
      contender,
      value,
      unit,
      median: median(values),
      minimum: Math.min(...values),
      maximum: Math.max(...values),
      ratio: median(ratios(values, valuesOf(first, value))),
      goals: reached(measure, contender, value, samples),
      messages: list.reduce((sum, { messages }) => sum + messages, 0),
      bytes: list.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  });
}

/** The goals for one figure; one that compares with a contender that was left out is left out too. */
function reached(measure: Measure, contender: string, value: string, samples: Samples): readonly Reached[] {
  return measure.goals
    .filter((goal) => goal.contender === contender && goal.value === value && (goal.to === undefined || samples.has(goal.to)))
    .map((goal) => {
      const own = valuesOf(samples.get(contender) ?? [], value);
      return { ...goal, is: median(goal.to === undefined ? own : ratios(own, valuesOf(samples.get(goal.to) ?? [], value))) };
    });
}

function valuesOf(list: readonly Sample[], value: string): readonly number[] {
  return list.map(({ values }) => values[value] ?? Number.NaN);
}

function ratios(values: readonly number[], others: readonly number[]): readonly number[] {
  return values.map((each, round) => each / (others[round] ?? Number.NaN));
}
