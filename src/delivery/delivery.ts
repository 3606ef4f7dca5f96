import { MeshError } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import { earlier, type Instant, type Millis } from "../core/instant.ts";
import { hashNodeId, isSameHash, type NodeHash } from "../core/node-hash.ts";
import { decodeAcknowledgements, readOffset } from "../wire/acknowledgement.ts";
import { FLAG, FRAME, OFFSET, ROUTED_HEADER, readRoutedHeader, word } from "../wire/frame.ts";
import { readMessageId } from "../wire/message-id.ts";
import { decodeError, decodeNotice, decodeReceipt } from "../wire/outcome.ts";
import { AckQueue } from "./streams/ack-queue.ts";
import { Deletions } from "./records/deletions.ts";
import { Destination } from "./destination/destination.ts";
import { Echo, type EchoFacts, type EchoReply } from "./echo.ts";
import { CHUNK_AT, Frames } from "./frames.ts";
import { MessageIds, type RandomBytes } from "./message-ids.ts";
import { Origin } from "./origin/origin.ts";
import { Outbox } from "./origin/outbox.ts";
import { ParkQueue, type ParkLimits } from "./parking/park-queue.ts";
import type { Parked } from "./parking/parked.ts";
import type { DeliveryPort, DestinationEvents, DiskEvents, Lateness, OriginEvents, ParkEvents } from "./ports.ts";
import { Relay, sourceOf } from "./relay.ts";
import { StoreClock } from "./records/store-clock.ts";

export interface DeliveryOptions {
  readonly self: NodeId;
  /** Names this life of the node: what it holds in memory lasts as long. */
  readonly life: number;
  /** Names this node's store: what it has on disk lasts as long. */
  readonly store: number;
  /** False for short-lived and leaf nodes: they hand over to a neighbour instead. */
  readonly parks: boolean;
  readonly park: ParkLimits;
  /** How long ended works are kept for a sender that comes back. */
  readonly retention: Millis;
  /** How many durable messages are remembered; default LIMITS.journaled, less in tests. */
  readonly journaled?: number;
  readonly late: Lateness;
  /** A node where a message waits may bind it to the life of its destination that it finds. Not where messages are sealed: then nobody but their origin can. */
  readonly keepersBind: boolean;
  readonly randomBytes: RandomBytes;
  /** For callbacks of the store, which come at a time of their own. */
  readonly clock: () => Instant;
}

export interface DeliveryHandlers {
  readonly origin: OriginEvents;
  readonly destination: DestinationEvents;
  readonly park: ParkEvents;
  readonly disk: DiskEvents;
  readonly echo: { readonly facts: () => EchoFacts; readonly onReply: (id: MessageId, reply: EchoReply) => void };
}

/**
 * A message's life: sent, carried, parked, received, answered. Frames come in by `receive`; everything that leaves goes through
 * the port. Bad bodies throw PROTOCOL_ERROR, which says nothing against the link that they came by.
 */
export class Delivery {
  readonly origin: Origin;
  readonly destination: Destination;
  readonly park: ParkQueue;
  readonly relay: Relay;
  readonly #id: NodeId;
  readonly #self: NodeHash;
  readonly #clock: () => Instant;
  readonly #port: DeliveryPort;
  readonly echo: Echo;
  readonly #onEchoReply: (id: MessageId, reply: EchoReply) => void;
  readonly #acks: AckQueue;
  readonly #frames: Frames;
  readonly #storeClock: StoreClock;
  readonly #deletions: Deletions;
  readonly #outbox: Outbox;

  constructor(options: DeliveryOptions, port: DeliveryPort, handlers: DeliveryHandlers) {
    this.#id = options.self;
    this.#self = hashNodeId(options.self);
    this.#clock = options.clock;
    this.#port = port;
    const frames = new Frames(this.#self, port);
    this.#frames = frames;
    this.#acks = new AckQueue(frames, options.clock);
    this.#storeClock = new StoreClock(port);
    this.#deletions = new Deletions(port);
    const disk = { port, clock: this.#storeClock, deletions: this.#deletions, events: handlers.disk };
    this.#outbox = new Outbox(disk);
    this.park = new ParkQueue(disk, handlers.park, options.park, () => word(options.randomBytes(4), 0));
    this.echo = new Echo(options.self, frames, handlers.echo.facts);
    this.#onEchoReply = handlers.echo.onReply;
    this.relay = new Relay(options, { port, frames, park: this.park, echo: this.echo });
    this.origin = new Origin(options, {
      port,
      frames,
      acks: this.#acks,
      ids: new MessageIds(options.randomBytes),
      park: this.park,
      outbox: this.#outbox,
      events: handlers.origin,
    });
    this.destination = new Destination(options, {
      port,
      frames,
      acks: this.#acks,
      disk,
      events: handlers.destination,
    });
  }

  /** Reads back what the disk holds: parked messages, the outbox, the journal. */
  restore(done: (error: MeshError | undefined) => void): void {
    this.#storeClock.restore(this.#clock, (clock) => {
      this.park.restore(this.#clock(), (parked) => {
        this.destination.restore(this.#clock, (journal) => {
          this.origin.restore(this.#clock, (outbox) => {
            this.#storeClock.use(this.#clock());
            done(clock ?? parked ?? journal ?? outbox);
          });
        });
      });
    });
  }

  /** One routed frame, from a link or from this node itself. It may be patched in place. */
  receive(now: Instant, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (
      view.getUint32(start + OFFSET.destination) !== this.#self.high ||
      view.getUint32(start + OFFSET.destination + 4) !== this.#self.low
    ) {
      return this.relay.forward(now, bytes, view, start, end);
    }
    const kind = view.getUint8(start + OFFSET.kind);
    switch (kind) {
      case FRAME.data:
        return this.#chunk(now, bytes, view, start, end);
      case FRAME.ack: {
        const from = sourceOf(view, start);
        return decodeAcknowledgements(bytes, start, end, (ack) => {
          if (ack.upward) this.origin.following.onAck(now, ack, from);
          else this.destination.onAck(now, ack, from);
        });
      }
      case FRAME.message:
        return this.destination.onMessage(now, readMessageId(bytes, start + OFFSET.id), readRoutedHeader(view, start), bytes, start, end);
      default:
        return this.#control(now, kind, bytes, view, start, end);
    }
  }

  /** A destination can be reached that could not before, or routes moved. */
  routesChanged(now: Instant): void {
    this.origin.routesChanged(now);
    this.destination.routesChanged(now);
    this.relay.routesChanged(now);
    this.drain();
  }

  /** Tells a node that what it said cannot be opened here: its session is not known. */
  sayUnopened(to: NodeHash): void {
    this.#frames.send({ kind: FRAME.unopened, to });
  }

  restarted(now: Instant, node: NodeId): void {
    this.origin.restarted(now, node);
  }

  /** A link has room again. */
  writable(): void {
    this.origin.unblock();
    this.destination.unblock();
    this.drain();
  }

  /** Sends on what is parked and has a route. */
  drain(): void {
    if (this.park.messages > 0) this.park.drainAll((parked, frame) => this.#release(parked, frame), this.#clock);
  }

  /** Throws away a message that waits here; its origin is told CANCELLED. */
  purge(parked: Parked): void {
    const error = new MeshError("CANCELLED", `the message was purged at ${this.#id}, where it waited`, { data: { where: this.#id } });
    if (!this.park.remove(parked.id)) return;
    if (this.#isOwn(parked)) this.origin.onLostHere(parked, error);
    else this.relay.lost(parked, error);
  }

  /** At the end of a tick: streams, receipts and acknowledgements leave. */
  flush(now: Instant): void {
    if (this.park.ready) this.drain();
    this.destination.flush(now);
    this.origin.flush(now);
    this.#acks.flush();
    this.park.flush();
  }

  nextWake(): Instant | undefined {
    let next = earlier(this.origin.nextWake(), this.destination.nextWake());
    next = earlier(next, this.park.nextWake());
    next = earlier(next, this.#acks.nextWake());
    next = earlier(next, this.#storeClock.nextWake());
    return earlier(next, this.#deletions.nextWake());
  }

  wake(now: Instant): void {
    this.park.wake(now, (parked) => {
      if (this.#isOwn(parked)) this.origin.onLostHere(parked);
      else this.relay.expired(parked);
    });
    this.origin.wake(now);
    this.destination.wake(now);
    this.#acks.wake(now);
    this.#deletions.wake(now);
    this.#storeClock.wake(now, this.park.messages > 0 || this.#outbox.size > 0);
  }

  #release(parked: Parked, frame: Uint8Array | undefined): void {
    if (frame === undefined) return this.#isOwn(parked) ? this.origin.onMissingHere(parked) : this.relay.missing(parked);
    if (this.#isOwn(parked)) this.origin.onReleased(this.#clock(), parked, frame);
    else this.relay.release(this.#clock(), parked, frame);
  }

  #isOwn(parked: Parked): boolean {
    return parked.source.high === this.#self.high && parked.source.low === this.#self.low;
  }

  #echoReply(id: MessageId, reply: EchoReply, from: NodeHash): void {
    if (isSameHash(hashNodeId(reply.node), from)) this.#onEchoReply(id, reply);
    else this.#port.denied(from);
  }

  #chunk(now: Instant, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (end - start < CHUNK_AT) return;
    const flags = view.getUint8(start + OFFSET.flags);
    const chunk = {
      offset: readOffset(view, start + ROUTED_HEADER),
      bytes: bytes.subarray(start + CHUNK_AT, end),
      fin: (flags & FLAG.fin) !== 0,
      probe: (flags & FLAG.probe) !== 0,
      accepted: (flags & FLAG.accepted) !== 0,
      generation: view.getUint32(start + OFFSET.auxiliary),
      from: sourceOf(view, start),
    };
    const id = readMessageId(bytes, start + OFFSET.id);
    if ((flags & FLAG.upward) !== 0) this.destination.onChunk(id, chunk);
    else this.origin.following.onChunk(now, id, chunk);
  }

  #control(now: Instant, kind: number, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const id = readMessageId(bytes, start + OFFSET.id);
    const body = bytes.subarray(start + ROUTED_HEADER, end);
    const from = sourceOf(view, start);
    switch (kind) {
      case FRAME.receipt:
        return this.origin.onReceipt(now, id, decodeReceipt(body), from);
      case FRAME.notice: {
        const notice = decodeNotice(body);
        // Each speaks for itself alone.
        return isSameHash(hashNodeId(notice.node), from) ? this.origin.onNotice(now, id, notice) : this.#port.denied(from);
      }
      case FRAME.reset:
        if ((view.getUint8(start + OFFSET.flags) & FLAG.upward) === 0) return this.origin.onReset(id, decodeError(body), from);
        return this.destination.onReset(now, id, decodeError(body), from);
      case FRAME.attach:
        return this.destination.onAttach(id, from, body, this.origin.whereabouts(id));
      case FRAME.echo:
        return this.echo.answer(id, from, view.getUint8(start + OFFSET.hops) + 1);
      case FRAME.echoReply:
        return this.#echoReply(id, this.echo.read(body), from);
      case FRAME.confirm:
        return this.destination.onConfirm(id, from);
      case FRAME.custody: {
        const flags = view.getUint8(start + OFFSET.flags);
        const [asked, others] = [(flags & FLAG.probe) !== 0, (flags & FLAG.resent) !== 0];
        return this.relay.onCustody(now, id, from, view.getUint32(start + OFFSET.auxiliary), asked, others);
      }
    }
  }
}
