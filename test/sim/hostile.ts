import { utf8 } from "../../src/core/bytes.ts";
import { MeshError } from "../../src/core/errors.ts";
import type { MessageId, NodeId } from "../../src/core/ids.ts";
import { hashNodeId, type NodeHash } from "../../src/core/node-hash.ts";
import { Sealing } from "../../src/sealing/sealing.ts";
import { encodeAcknowledgements } from "../../src/wire/acknowledgement.ts";
import { encode } from "../../src/wire/codec.ts";
import { FIRST_ROUTED_KIND, FLAG, FRAME, OFFSET, ROUTED_HEADER, word, writeRoutedHeader } from "../../src/wire/frame.ts";
import { encodeMetadata, layMessage } from "../../src/wire/message.ts";
import { readMessageId, writeMessageId } from "../../src/wire/message-id.ts";
import { encodeError, encodeNotice, encodeReceipt, type Notice } from "../../src/wire/outcome.ts";
import { readSealedParts } from "../../src/wire/sealed.ts";
import type { VirtualClock } from "./clock.ts";
import { isSealed, type SimSecrets } from "./ciphers.ts";
import type { Ledger } from "./ledger.ts";
import type { SimNode } from "./node.ts";
import { DIRECTIVE, planHeaders } from "./worker.ts";

/** What may be done to a frame on its way. */
const DEEDS = ["drop", "flip", "replay", "hold", "header", "auxiliary", "forge", "forge"] as const;
/** What can be said about a message of others. */
const FORGED = [
  "accepted",
  "refused",
  "stale",
  "attached",
  "failed",
  "parked",
  "missing",
  "cancel",
  "reset",
  "data",
  "answer",
  "ack",
  "answer ack",
  "attach",
  "confirm",
  "custody",
  "unopened",
  "message",
] as const;
/** What only who lies in notices of its own says in its own name: it could as well have thrown the message away. */
const NOTICES: ReadonlySet<string> = new Set(["failed", "parked", "missing"]);

/** Frames that one remembers. */
const KEPT = 300;

interface HostileOptions {
  /** How much of what passes it touches. */
  share: number;
  /** It also says of messages, in its own name, that they have failed or wait with it. */
  readonly lies: boolean;
  readonly nodes: readonly SimNode[];
  readonly secrets: SimSecrets;
  readonly ledger: Ledger;
  readonly clock: VirtualClock;
  readonly random: () => number;
}

/**
 * A member that does what it likes with what passes through its node: throws away, changes, says again, says in the name of others; and
 * writes what it likes in its own name, about messages that are not its own.
 */
export class Hostile {
  readonly id: NodeId;
  readonly lies: boolean;
  deeds = 0;
  readonly #node: SimNode;
  readonly #options: HostileOptions;
  readonly #sealing: Sealing;
  readonly #seen: Uint8Array[] = [];
  readonly #held: Uint8Array[] = [];
  #share: number;
  #again = false;

  constructor(node: SimNode, options: HostileOptions) {
    this.id = node.id;
    this.lies = options.lies;
    this.#node = node;
    this.#options = options;
    this.#share = options.share;
    const { clock, nodes, secrets } = options;
    this.#sealing = new Sealing(
      {
        ...secrets.meansOf(node.id),
        self: node.id,
        ephemeral: false,
        wallClock: () => 1_700_000_000_000 + clock.now + node.wallOffset,
        partyOf: (high, low) => {
          const to = nodes.find(({ id }) => isHash(hashNodeId(id), high, low));
          return to && { node: to.id, sealingKey: secrets.meansOf(to.id).sealingKey, certificate: secrets.ciphersOf(to.id).certificate };
        },
      },
      { onUnopened: () => undefined, onUnknownSession: () => undefined },
    );
  }

  /** With the next frame all leaves once more that is still known. */
  sayAllAgain(): void {
    this.#again = true;
  }

  stop(): void {
    this.#share = 0;
    this.#held.length = 0;
    this.#again = false;
  }

  /** What leaves instead of a frame of its node. */
  tamper(frame: Uint8Array): readonly Uint8Array[] {
    const kind = frame[OFFSET.kind] ?? 0;
    if (this.#share === 0) return [frame];
    if (kind < FIRST_ROUTED_KIND) return kind === FRAME.keepalive ? [frame, ...this.#unasked()] : [frame];
    const copy = frame.slice();
    if (this.#seen.length < KEPT) this.#seen.push(copy);
    else this.#seen[this.#below(KEPT)] = copy;
    if (this.#options.random() >= this.#share) return [frame, ...this.#held.splice(0)];
    this.deeds++;
    const deed = DEEDS[this.#below(DEEDS.length)];
    switch (deed) {
      case "drop":
        return [];
      case "hold":
        this.#held.push(frame);
        return [];
      case "replay":
        return [...this.#old(), frame];
      case "forge":
        return [frame, ...this.#forged(this.#options.random() < 0.5 ? copy : undefined)];
      default:
        return [this.#changed(deed, copy.slice())];
    }
  }

  #unasked(): Uint8Array[] {
    if (this.#again) {
      this.#again = false;
      this.deeds += this.#seen.length;
      return this.#seen.map((frame) => frame.slice());
    }
    if (this.#options.random() >= this.#share) return [];
    this.deeds++;
    return this.#options.random() < 0.5 ? this.#old() : this.#forged();
  }

  #old(): Uint8Array[] {
    const old = this.#seen[this.#below(this.#seen.length)];
    return old === undefined ? [] : [old.slice()];
  }

  #changed(deed: "flip" | "header" | "auxiliary" | undefined, frame: Uint8Array): Uint8Array {
    const view = new DataView(frame.buffer);
    if (deed === "flip") {
      // Not the length: that is between the two ends of the link.
      const at = OFFSET.kind + 1 + this.#below(frame.length - OFFSET.kind - 1);
      frame[at] = (frame[at] as number) ^ (1 << this.#below(8));
    } else if (deed === "auxiliary") {
      view.setUint32(OFFSET.auxiliary, this.#options.random() < 0.5 ? 0 : this.#lifeOf(frame));
    } else {
      const flags = frame[OFFSET.flags] as number;
      const ways = [
        () => view.setUint8(OFFSET.flags, flags ^ (1 << this.#below(8))),
        () => view.setUint8(OFFSET.flags, flags ^ FLAG.custody),
        () => view.setUint32(OFFSET.ttl, [0, 1_000, 0xffffffff][this.#below(3)] ?? 0),
        () => view.setUint8(OFFSET.hops, this.#below(33)),
      ];
      ways[this.#below(ways.length)]?.();
    }
    return frame;
  }

  /** A frame about a message that it has seen, which is not its own. */
  #forged(about?: Uint8Array): Uint8Array[] {
    const model = about ?? this.#seen[this.#below(this.#seen.length)];
    if (model === undefined) return [];
    const id = readMessageId(model, OFFSET.id);
    const sent = this.#options.ledger.sent.get(id);
    if (sent === undefined || sent.to === this.id || sent.from.id === this.id) return [];
    const forged = FORGED[this.#below(FORGED.length)] ?? "message";
    const others = this.#options.nodes.filter(({ id: name }) => name !== this.id);
    const [ends, other] = [[sent.to, sent.from.id], others[this.#below(others.length)]?.id ?? sent.to];
    const to = this.#options.random() < 0.9 ? (ends[this.#below(2)] ?? other) : other;
    const names = [this.id, to === sent.to ? sent.from.id : sent.to, other];
    const name = names[this.#below(names.length)] ?? this.id;
    if (name === to || to === this.id) return [];
    if (name === this.id && NOTICES.has(forged) && !this.lies) return [];
    const frame = this.#write(forged, id, name, to);
    const now = this.#options.clock.now;
    const own = (as: NodeId): Uint8Array[] => {
      const written = this.#write(forged, id, as, to);
      const { bytes, start, end } = this.#sealing.seal(now, written, 0, written.length) ?? { bytes: frame, start: 0, end: 0 };
      return end === 0 ? [] : [bytes.slice(start, end)];
    };
    if (name === this.id) return own(this.id);
    const how = this.#below(3);
    if (how === 0) return [frame];
    if (how === 1) return own(this.id).map((sealed) => disguised(sealed, name));
    return isSealed(model) ? [copied(frame, model)] : [];
  }

  #write(forged: (typeof FORGED)[number], id: MessageId, name: NodeId, to: NodeId): Uint8Array {
    const error = new MeshError("BUSY", "forged");
    const notice = (of: Notice): Uint8Array => framed(FRAME.notice, 0, 0, encodeNotice(of));
    const offset = new Uint8Array(8 + 64).fill(0x5a);
    offset.fill(0, 0, 8);
    const ack = { id, offset: 40, window: 0, generation: 0, done: true, detached: false, probed: false, gap: false };
    const frames: Record<(typeof FORGED)[number], () => Uint8Array> = {
      accepted: () => framed(FRAME.receipt, 0, 0, encodeReceipt({ type: "accepted" })),
      refused: () => framed(FRAME.receipt, 0, 0, encodeReceipt({ type: "refused", error })),
      stale: () => framed(FRAME.receipt, 0, 0, encodeReceipt({ type: "stale", life: this.#lifeOfNode(to), resent: false })),
      attached: () => framed(FRAME.receipt, 0, 0, encodeReceipt({ type: "attached", offset: 0, serial: 1, generation: 0 })),
      failed: () => notice({ type: "failed", node: name, error: new MeshError(this.#below(2) === 0 ? "EXPIRED" : "NO_ROUTE", "forged") }),
      parked: () => notice({ type: "parked", node: name, ttl: 9_000 }),
      missing: () => notice({ type: "missing", node: name, unsent: this.#below(2) === 0 }),
      cancel: () => framed(FRAME.reset, FLAG.upward, 0, encodeError(new MeshError("CANCELLED", "forged"))),
      reset: () => framed(FRAME.reset, 0, 0, encodeError(new MeshError("RESPONSES_GONE", "forged"))),
      data: () => framed(FRAME.data, FLAG.upward | FLAG.fin, 0, offset),
      answer: () => framed(FRAME.data, FLAG.fin | FLAG.accepted, 0, offset),
      ack: () => framed(FRAME.ack, 0, 0, encodeAcknowledgements([{ ...ack, upward: true }]).slice(ROUTED_HEADER)),
      "answer ack": () => framed(FRAME.ack, 0, 0, encodeAcknowledgements([{ ...ack, upward: false }]).slice(ROUTED_HEADER)),
      attach: () => framed(FRAME.attach, 0, 0, encode({ f: 1 })),
      confirm: () => framed(FRAME.confirm, 0, 0),
      custody: () => framed(FRAME.custody, FLAG.probe, this.#lifeOfNode(to)),
      unopened: () => framed(FRAME.unopened, 0, 0),
      message: () => {
        const plan = { number: 7, bytes: 1, answers: [1] };
        const metadata = encodeMetadata(name, DIRECTIVE.once, planHeaders(plan));
        const frame = layMessage(metadata, { deadline: undefined, floor: 0, payload: Uint8Array.of(7) });
        address(frame, FRAME.message, 0, this.#lifeOfNode(to));
        new DataView(frame.buffer).setUint32(OFFSET.ttl, 10_000);
        return frame;
      },
    };
    const frame = frames[forged]();
    const view = new DataView(frame.buffer, frame.byteOffset);
    writeHash(view, OFFSET.destination, hashNodeId(to));
    writeHash(view, OFFSET.source, hashNodeId(name));
    writeMessageId(frame, OFFSET.id, id);
    return frame;
  }

  #lifeOf(frame: Uint8Array): number {
    const to = this.#options.nodes.find(({ id }) =>
      isHash(hashNodeId(id), word(frame, OFFSET.destination), word(frame, OFFSET.destination + 4)),
    );
    return to === undefined ? 0 : this.#lifeOfNode(to.id);
  }

  /** As every member knows it. */
  #lifeOfNode(id: NodeId): number {
    const boot = this.#node.engine?.routing.advertisement(id)?.boot;
    return boot === undefined ? 0 : Number.parseInt(boot.slice(8, 16), 16);
  }

  #below(n: number): number {
    return Math.floor(this.#options.random() * n);
  }
}

/** In another's name, under a session of one's own. */
function disguised(frame: Uint8Array, name: NodeId): Uint8Array {
  writeHash(new DataView(frame.buffer, frame.byteOffset), OFFSET.source, hashNodeId(name));
  return frame;
}

/** With what another frame says of its session, and its nonce. */
function copied(frame: Uint8Array, model: Uint8Array): Uint8Array {
  const { textAt } = readSealedParts(new DataView(model.buffer, model.byteOffset, model.byteLength), 0, model.length);
  const plain = frame.subarray(ROUTED_HEADER);
  const made = new Uint8Array(textAt + plain.length + 16);
  made.set(frame.subarray(0, ROUTED_HEADER));
  made.set(model.subarray(ROUTED_HEADER, textAt), ROUTED_HEADER);
  made.set(plain, textAt);
  made[OFFSET.flags] = (made[OFFSET.flags] as number) | FLAG.sealed;
  new DataView(made.buffer).setUint32(OFFSET.length, made.length);
  return made;
}

function framed(kind: number, flags: number, auxiliary: number, body: Uint8Array = utf8("")): Uint8Array {
  const frame = new Uint8Array(ROUTED_HEADER + body.length);
  frame.set(body, ROUTED_HEADER);
  address(frame, kind, flags, auxiliary);
  return frame;
}

function address(frame: Uint8Array, kind: number, flags: number, auxiliary: number): void {
  const nobody = { destinationHigh: 0, destinationLow: 0, sourceHigh: 0, sourceLow: 0 };
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  writeRoutedHeader(view, 0, frame.length, { kind, flags, hops: 0, ttl: 0, auxiliary, ...nobody });
}

function writeHash(view: DataView, at: number, { high, low }: NodeHash): void {
  view.setUint32(at, high);
  view.setUint32(at + 4, low);
}

function isHash(hash: NodeHash, high: number, low: number): boolean {
  return hash.high === high && hash.low === low;
}
