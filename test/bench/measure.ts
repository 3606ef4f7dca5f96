import type { Contenders } from "./contenders.ts";

/** What one contender did in one round, and what its far end counted. */
export interface Sample {
  readonly values: Readonly<Record<string, number>>;
  readonly messages: number;
  readonly bytes: number;
}

export interface Contender {
  readonly name: string;
  run(contenders: Contenders): Promise<Sample>;
}

/** One thing that is measured, by each contender in turn; the first is what the others are compared with. */
export interface Measure {
  readonly name: string;
  readonly what: string;
  /** By value: its unit. */
  readonly units: Readonly<Record<string, string>>;
  /** What the far end must have counted in each round. */
  readonly expected: { readonly messages: number; readonly bytes: number };
  readonly contenders: readonly Contender[];
}
