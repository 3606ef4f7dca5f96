import { isMeshError } from "../../src/core/errors.ts";
import { seeded } from "../sim/random.ts";
import type { Decoder } from "./decoders.ts";
import { mutated } from "./mutate.ts";

/** Milliseconds that one input may take. */
const MOST = 50;
/** Bytes by which the process may grow while one decoder is fed. */
const GROWTH = 256 * 2 ** 20;
const BETWEEN = 200;

export interface Fuzzed {
  readonly inputs: number;
  /** How many of them were read as something. */
  readonly read: number;
  /** Milliseconds that the slowest took, at its fastest. */
  readonly slowest: number;
  /** One line for each input that did harm, with its bytes. */
  readonly wrong: readonly string[];
}

export interface FuzzOptions {
  readonly seed: number;
  /** Ends when one of the two is over. */
  readonly inputs: number;
  readonly milliseconds: number;
}

/** Feeds one decoder changed samples: each must be read or refused with a typed error, soon, and leave nothing behind. */
export function fuzz({ samples, read, codes, most }: Decoder, { seed, inputs, milliseconds }: FuzzOptions): Fuzzed {
  const random = seeded(seed);
  const until = performance.now() + milliseconds;
  const wrong: string[] = [];
  const before = process.memoryUsage().rss;
  let fed = 0;
  let taken = 0;
  let slowest = 0;
  while (fed < inputs && wrong.length < 10) {
    if (fed % BETWEEN === 0) {
      if (performance.now() >= until) break;
      const growth = process.memoryUsage().rss - before;
      if (growth > GROWTH) wrong.push(`after ${fed} inputs the process is ${(growth / 2 ** 20).toFixed(0)} MiB larger`);
    }
    const bytes = mutated(samples, random, most);
    const began = performance.now();
    const why = attempt(read, bytes, codes);
    let took = performance.now() - began;
    fed++;
    if (why === undefined) taken++;
    else if (why !== "refused") wrong.push(`${why}: ${hex(bytes)}`);
    // The operating system may have let others run meanwhile: what is slow takes that much of the processor, each time.
    for (let again = 0; again < 3 && took > MOST; again++) {
      const start = process.cpuUsage();
      attempt(read, bytes, codes);
      const { user, system } = process.cpuUsage(start);
      took = Math.min(took, (user + system) / 1_000);
    }
    if (took > MOST) wrong.push(`took ${took.toFixed(0)} ms: ${hex(bytes)}`);
    slowest = Math.max(slowest, took);
  }
  return { inputs: fed, read: taken, slowest, wrong };
}

/** Undefined: it was read; `refused`: with an error that is expected; else what it threw. */
function attempt(read: Decoder["read"], bytes: Uint8Array, codes: Decoder["codes"]): string | undefined {
  try {
    read(bytes);
    return undefined;
  } catch (error) {
    if (isMeshError(error)) return codes.includes(error.code) ? "refused" : `${error.code} ${error.message}`;
    return String(error);
  }
}

function hex(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, 2_000)).toString("hex");
  return bytes.length > 2_000 ? `${text}... (${bytes.length} bytes)` : text;
}
