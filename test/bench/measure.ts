import type { Stage } from "./stage.ts";

/** What one contender did in one round, and what its far end counted. */
export interface Sample {
  /** A value that a contender cannot have is left out. */
  readonly values: Readonly<Record<string, number>>;
  readonly messages: number;
  readonly bytes: number;
}

export interface Contender {
  readonly name: string;
  /** Rounds up to 0 do not count: they warm up, and the first checks what would take time from the others. */
  run(round: number): Promise<Sample>;
}

/** What a value of a contender should be; printed beside the figure, and never judged. */
export interface Goal {
  readonly contender: string;
  readonly value: string;
  /** Another contender, whose figure is the unit of the limits; default: they are absolute. */
  readonly to?: string;
  readonly least?: number;
  readonly most?: number;
}

/** One thing that is measured, by each contender in turn; the first is what the others are compared with. */
export interface Measure {
  readonly name: string;
  readonly what: string;
  /** By value: its unit. */
  readonly units: Readonly<Record<string, string>>;
  readonly goals: readonly Goal[];
  /** What the far end must have counted in each round. */
  readonly expected: { readonly messages: number; readonly bytes: number };
  /** The most rounds that are worth their time; default: as many as were asked for. */
  readonly rounds?: number;
  /** Rounds before those that count, the last of them round 0: until V8 has compiled what is measured; default: 1. */
  readonly warm?: number;
  /** Starts what it needs, which ends with the stage. */
  contenders(stage: Stage): Promise<readonly Contender[]>;
}
