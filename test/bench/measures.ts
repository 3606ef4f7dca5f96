import type { Measure } from "./measure.ts";
import { bulk } from "./measures/bulk.ts";
import { fairness } from "./measures/fairness.ts";
import { idleLinks } from "./measures/idle-links.ts";
import { idleNode } from "./measures/idle-node.ts";
import { join } from "./measures/join.ts";
import { linkChange } from "./measures/link-change.ts";
import { oneWay, tls, websocket } from "./measures/one-way.ts";
import { backlog, parking } from "./measures/parking.ts";
import { relay } from "./measures/relay.ts";
import { roundTrip, smallWorks } from "./measures/requests.ts";
import { sealedStream, sealedWorks } from "./measures/sealed.ts";
import { help, start } from "./measures/start.ts";

/** Every measure, in the order in which they run; `quick`: small enough for a test of the benchmark itself. */
export const MEASURES: readonly ((quick: boolean) => Measure)[] = [
  oneWay,
  smallWorks,
  roundTrip,
  bulk,
  tls,
  websocket,
  sealedStream,
  sealedWorks,
  relay,
  parking,
  backlog,
  idleLinks,
  start,
  help,
  linkChange,
  join,
  idleNode,
  fairness,
];
