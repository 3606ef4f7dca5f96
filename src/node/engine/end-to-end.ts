import type { NodeId } from "../../core/ids.ts";
import type { NodeHash } from "../../core/node-hash.ts";
import type { Routing } from "../../routing/machine.ts";
import { type FrameView, Sealing, type Unopened } from "../../sealing/sealing.ts";
import type { Party } from "../../sealing/sending.ts";
import { FLAG, FRAME, OFFSET } from "../../wire/frame.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { Environment } from "./environment.ts";

/** What sealing is connected to. */
export interface SealingRooms {
  readonly routing: Routing;
  onUnopened(why: Unopened, source: NodeId | undefined): void;
  onUnknownSession(to: NodeHash): void;
}

/** Seals with what routing knows of other nodes. Undefined: in a mesh without an authority. */
export function createSealing(
  { id, ephemeral, sealing }: EngineOptions,
  env: Pick<Environment, "wallClock">,
  { routing, onUnopened, onUnknownSession }: SealingRooms,
): Sealing | undefined {
  if (sealing === undefined) return undefined;
  const partyOf = (high: number, low: number): Party | undefined => {
    const node = routing.idOf(high, low);
    const credentials = node === undefined ? undefined : routing.advertisement(node)?.credentials;
    return node === undefined || credentials === undefined ? undefined : { node, ...credentials };
  };
  return new Sealing(
    { ...sealing, self: id, ephemeral, wallClock: () => env.wallClock(), partyOf },
    {
      onUnopened: (why, high, low) => onUnopened(why, routing.idOf(high, low)),
      onUnknownSession: (high, low) => onUnknownSession({ high, low }),
    },
  );
}

export function isSealed(frame: Uint8Array, start: number): boolean {
  return ((frame[start + OFFSET.flags] as number) & FLAG.sealed) !== 0;
}

/** Whether the sender of a frame that was opened has waited in vain for an answer. */
export function asks({ view, start }: FrameView): boolean {
  const flags = view.getUint8(start + OFFSET.flags);
  switch (view.getUint8(start + OFFSET.kind)) {
    case FRAME.message:
      return (flags & FLAG.resent) !== 0;
    case FRAME.data:
      return (flags & FLAG.probe) !== 0;
    default:
      return false;
  }
}
