import type { Contenders } from "./contenders.ts";
import type { Measure, Sample } from "./measure.ts";
import { bulk } from "./measures/bulk.ts";
import { oneWay } from "./measures/one-way.ts";
import { roundTrip, smallWorks } from "./measures/requests.ts";
import { median } from "./support/numbers.ts";

export const MEASURES: readonly ((quick: boolean) => Measure)[] = [oneWay, roundTrip, smallWorks, bulk];

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
  /** Counted at the far end, in all rounds. */
  readonly messages: number;
  readonly bytes: number;
}

/** Runs the contenders in turn, round by round, after one round that does not count. Throws where the far end did not get all. */
export async function runMeasure(measure: Measure, contenders: Contenders, rounds: number): Promise<readonly Row[]> {
  const samples = new Map<string, Sample[]>(measure.contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, run } of measure.contenders) {
      const sample = await run(contenders);
      const { messages, bytes } = measure.expected;
      if (sample.messages !== messages || sample.bytes !== bytes) {
        throw new Error(
          `${measure.name}, ${name}: ${sample.messages} messages and ${sample.bytes} bytes arrived, of ${messages} and ${bytes}`,
        );
      }
      if (round > 0) samples.get(name)?.push(sample);
    }
  }
  const first = samples.get(measure.contenders[0]?.name ?? "") ?? [];
  return [...samples].flatMap(([contender, list]) =>
    Object.entries(measure.units).map(([value, unit]) => {
      const values = list.map((sample) => sample.values[value] ?? Number.NaN);
      const ratios = values.map((each, round) => each / (first[round]?.values[value] ?? Number.NaN));
      return {
        measure: measure.name,
        what: measure.what,
        contender,
        value,
        unit,
        median: median(values),
        minimum: Math.min(...values),
        maximum: Math.max(...values),
        ratio: median(ratios),
        messages: list.reduce((sum, { messages }) => sum + messages, 0),
        bytes: list.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    }),
  );
}
