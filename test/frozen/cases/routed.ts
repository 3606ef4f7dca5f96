import { hashNodeId } from "../../../src/core/node-hash.ts";
import { type Address, Frames } from "../../../src/delivery/frames.ts";
import type { DeliveryPort } from "../../../src/delivery/ports.ts";
import { OFFSET, readRoutedHeader, ROUTED_HEADER } from "../../../src/wire/frame.ts";
import { readMessageId } from "../../../src/wire/message-id.ts";
import { type Case, EAST, frozen, ID, plainErrors, WEST } from "../case.ts";
import { parsed } from "./link.ts";

/** Lays frames from east to west as a node does, and catches them. */
export class Catcher {
  readonly frames: Uint8Array[] = [];
  readonly port: DeliveryPort = {
    transmit: (frame, start, end) => this.frames.push(frame.slice(start, end)) > 0,
    handOver: () => false,
    hasRoute: () => true,
    silent: () => undefined,
    congested: () => false,
    lifeOf: () => 0,
    storeOf: () => 0,
    nodeOf: () => undefined,
    denied: () => undefined,
    records: { write: () => undefined, get: () => undefined, scan: () => undefined },
    wallClock: () => 0,
    markDirty: () => undefined,
  };
  readonly out = new Frames(hashNodeId(EAST), this.port);

  get last(): Uint8Array {
    const frame = this.frames.at(-1);
    if (frame === undefined) throw new RangeError("no frame was sent");
    return frame;
  }
}

export type To = Omit<Address, "to" | "id">;

/** A routed frame as it is read: the header that relays see, the id, and what `read` makes of the body. */
export function headed(bytes: Uint8Array, read: (frame: Uint8Array) => unknown): unknown {
  const frame = parsed(bytes);
  const header = readRoutedHeader(new DataView(frame.buffer, frame.byteOffset, frame.byteLength), 0);
  return { ...header, id: readMessageId(frame, OFFSET.id), value: read(frame) };
}

/** A case of a routed frame from east to west. */
export function routedCase(
  [name, means]: readonly [string, string],
  to: To,
  value: unknown,
  encode: (catcher: Catcher, to: Address) => void,
  read: (frame: Uint8Array) => unknown,
): Case {
  const [source, destination] = [hashNodeId(EAST), hashNodeId(WEST)];
  const expected = {
    kind: to.kind,
    flags: to.flags ?? 0,
    hops: 0,
    destinationHigh: destination.high,
    destinationLow: destination.low,
    sourceHigh: source.high,
    sourceLow: source.low,
    ttl: to.ttl ?? 0,
    auxiliary: to.auxiliary ?? 0,
    id: ID,
    value,
  };
  return frozen<unknown>(
    name,
    means,
    expected,
    () => {
      const catcher = new Catcher();
      encode(catcher, { ...to, to: destination, id: ID });
      return catcher.last;
    },
    (bytes) => headed(bytes, read),
    plainErrors,
  );
}

/** A case whose body is a value of its own. */
export function bodyCase<T>(
  title: readonly [string, string],
  to: To,
  value: T,
  encode: (value: T) => Uint8Array,
  decode: (body: Uint8Array) => T,
): Case {
  return routedCase(
    title,
    to,
    value,
    ({ out }, address) => out.send(address, encode(value)),
    (frame) => decode(frame.subarray(ROUTED_HEADER)),
  );
}
