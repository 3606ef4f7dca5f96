import type { MeshError } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import type { NodeHash } from "../core/node-hash.ts";
import type { Content } from "../wire/record.ts";

/** For how long after its time to live a copy of a message may still come: to this life of the node, and to a later one. */
export interface Lateness {
  readonly seen: Millis;
  readonly journal: Millis;
}

/** An ordered map on a disk; the storage room's stores are such. Callbacks never run before the call returns. */
export interface Records {
  /** Copies what it is given before it returns. */
  write(operations: readonly RecordOperation[], done: (error: MeshError | undefined) => void): void;
  get(key: string, done: (error: MeshError | undefined, value: Uint8Array | undefined) => void): void;
  /** Some at a time, in the order of their keys. */
  scan(
    range: { readonly from: string; readonly to: string },
    take: (found: readonly FoundRecord[]) => void,
    done: (error: MeshError | undefined) => void,
  ): void;
}

export interface FoundRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

export type RecordOperation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "delete"; readonly key: string };

/** What delivery asks of the rooms around it. */
export interface DeliveryPort {
  /** Sends the routed frame on towards the destination in its header, also where that is this node. False: there is no way, or no room. */
  transmit(frame: Uint8Array, start: number, end: number): boolean;
  /** Hands a frame to a neighbour that will keep it, for nodes that do not park. False: there is no neighbour. */
  handOver(frame: Uint8Array): boolean;
  hasRoute(high: number, low: number): boolean;
  /** A route there has no room at the moment. */
  congested(high: number, low: number): boolean;
  /** What was said to that node so long ago was not answered: what follows may go another way. */
  silent(high: number, low: number, waited: Millis): void;
  /** The name of a node's present life; 0 where it is not known. */
  lifeOf(high: number, low: number): number;
  /** The name of a node's store; 0 where it is not known. */
  storeOf(high: number, low: number): number;
  nodeOf(high: number, low: number): NodeId | undefined;
  /** That node has said something of what is another's, or in another's name: it had no effect. */
  denied(from: NodeHash): void;
  readonly records: Records;
  /** Milliseconds since 1970; used only to tell how long this node was off. */
  wallClock(): number;
  /** Something waits for `flush()`. */
  markDirty(): void;
}

/** What a node tells the sender's side. */
export interface OriginEvents {
  /** A durable message of an earlier life is taken up again; what becomes of it is told as of any other. */
  onRestored(id: MessageId, node: NodeId, directive: string): void;
  onParked(id: MessageId, node: NodeId, ttl: Millis): void;
  onAccepted(id: MessageId, node: NodeId): void;
  /** Bytes of the response stream, valid during the call; `consumed` is to be called for them. */
  onResponseBytes(id: MessageId, bytes: Uint8Array): void;
  /** The response stream is whole. */
  onResponseEnd(id: MessageId): void;
  /** The payload stream takes bytes again. */
  onInputWritable(id: MessageId): void;
  /** It is over without an end from the worker: refused, expired, interrupted, cancelled. */
  onFailed(id: MessageId, error: MeshError): void;
  /** The worker restarted and runs the work again: the responses begin anew, from the first. */
  onRerun(id: MessageId): void;
  /** The responses that follow begin with this one. */
  onAttached(id: MessageId, serial: number): void;
}

/** What arrived as work. */
export interface WorkRequest {
  readonly id: MessageId;
  readonly sender: NodeId;
  readonly directive: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly deadline: Millis | undefined;
  readonly payload: Uint8Array;
  readonly streamed: boolean;
  readonly durable: boolean;
  readonly hold: boolean;
}

/** What a node tells the worker's side. */
export interface DestinationEvents {
  /** May the directive run again where it is not known whether it ran? */
  isIdempotent(directive: string): boolean;
  /** May `asker` have the responses of what `sender` has sent? Undefined: a node that is not known here. */
  mayFollow(asker: NodeId | undefined, sender: NodeId): boolean;
  /** Answered, now or later, by `accept` or `refuse`. */
  onRequest(request: WorkRequest): void;
  onConfirm(id: MessageId): void;
  onCancel(id: MessageId, error: MeshError): void;
  /** Bytes of the payload stream, valid during the call. */
  onPayloadBytes(id: MessageId, bytes: Uint8Array): void;
  onPayloadEnd(id: MessageId): void;
  /** The response stream takes bytes again. */
  onResponseWritable(id: MessageId): void;
}

export interface ParkEvents {
  /** So many messages for one node are on the disk; `ids` may be called during the call. */
  onParked(destination: NodeHash, messages: number, ids: () => readonly MessageId[]): void;
  onExpired(id: MessageId, destination: NodeHash): void;
  onTrouble(error: MeshError): void;
}

/** What delivery keeps on the disk: what waits here, what was sent from here, what was taken here. */
export type RecordKind = "parked" | "outbox" | "journal";

/** What the disk did to delivery's records. */
export interface DiskEvents {
  /** So many records of one kind cannot be read, or are not there any more. */
  onLost(kind: RecordKind, count: number, why: string): void;
}

/** A response as the worker's side writes it. */
export interface ResponseFacts {
  readonly content: Content;
  readonly channel: string | undefined;
  /** For a response that begins: one value that is too large for one record. */
  readonly whole?: boolean;
}
