/** Connections that say `hello`, in base64, at 1 byte a second. */
export interface Drip {
  readonly type: "drip";
  readonly port: number;
  /** The addresses that they come from, in turn. */
  readonly from: readonly string[];
  readonly count: number;
  readonly hello: string;
}

/** Connections that say `hello`, in base64, and no more, `atOnce` at a time, each followed by the next when it is closed. */
export interface Burst {
  readonly type: "burst";
  readonly port: number;
  readonly from: readonly string[];
  readonly count: number;
  readonly hello: string;
  readonly atOnce: number;
}

export type FloodOrder = Drip | Burst;

export interface FloodReport {
  readonly milliseconds: number;
  /** How many the node closed; the others had to be given up. */
  readonly closed: number;
  /** Milliseconds that the one that stayed longest was open. */
  readonly longest: number;
}
