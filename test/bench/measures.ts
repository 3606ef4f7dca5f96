import type { Measure } from "./measure.ts";
import { bulk } from "./measures/bulk.ts";
import { oneWay, tls, websocket } from "./measures/one-way.ts";
import { roundTrip, smallWorks } from "./measures/requests.ts";

/** Every measure, in the order in which they run; `quick`: small enough for a test of the benchmark itself. */
export const MEASURES: readonly ((quick: boolean) => Measure)[] = [oneWay, smallWorks, roundTrip, bulk, tls, websocket];
