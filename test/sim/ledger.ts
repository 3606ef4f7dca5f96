import type { MeshError } from "../../src/core/errors.ts";
import type { MessageId, NodeId } from "../../src/core/ids.ts";
import type { Unopened } from "../../src/sealing/sealing.ts";
import type { WorkEnd } from "../../src/wire/record.ts";
import type { SimNode } from "./node.ts";

/** One message that a program of the simulation sent, and what became of it. */
export interface Sent {
  readonly id: MessageId;
  readonly number: number;
  readonly from: SimNode;
  readonly to: NodeId;
  readonly at: number;
  readonly ttl: number;
  readonly durable: boolean;
  readonly idempotent: boolean;
  /** Bytes of its payload, and of each response. */
  readonly bytes: number;
  readonly answers: readonly number[];
  accepted: boolean;
  dispatches: number;
  /** How it ended at its sender: `succeeded`, or a code. */
  ending: string | undefined;
  endedAt: number;
  /** In which life of its sender. */
  endedIn: number;
  /** Its sender's disk failed at that moment. */
  shaky: boolean;
  cancelled: boolean;
  /** The sender's process died before it heard the end, and left nothing on disk: nobody waits any more. */
  orphan: boolean;
}

/** Why honest frames are not opened at times: one end has restarted, or clocks are wrong. */
const HONEST: ReadonlySet<Unopened> = new Set(["session", "clock", "late", "certificate"]);
/** Times to live are whole milliseconds in frames. */
const ROUNDING = 5;
/**
 * What its destination has refused so has not run, and never will in that life. What is said on the way (NO_ROUTE, HOP_LIMIT, STORE_FULL) is so of
 * one copy, which a hostile node may have kept; so may it a durable one, which a later life does not know.
 */
const NEVER_RAN: ReadonlySet<string> = new Set(["BUSY", "DENIED"]);

/** Every message of a run, judged at each event. */
export class Ledger {
  readonly sent = new Map<MessageId, Sent>();
  /** Nodes that tamper with what passes through them, or write what they like. */
  readonly hostile = new Set<NodeId>();
  /** By why: frames that were not taken. */
  readonly refused = new Map<string, number>();
  /** What was wrong, in the order in which it was seen. */
  readonly wrong: string[] = [];
  readonly #tell: (line: string) => void;

  readonly #now: () => number;

  constructor(tell: (line: string) => void, now: () => number) {
    this.#tell = tell;
    this.#now = now;
  }

  add(facts: Omit<Sent, "accepted" | "dispatches" | "ending" | "endedAt" | "endedIn" | "shaky" | "cancelled" | "orphan">): void {
    const { id, from, to, durable, bytes } = facts;
    this.#tell(`${from.id} sends ${short(id)} to ${to}, ${bytes} bytes${durable ? ", durably" : ""}`);
    this.sent.set(id, {
      ...facts,
      accepted: false,
      dispatches: 0,
      ending: undefined,
      endedAt: 0,
      endedIn: 0,
      shaky: false,
      cancelled: false,
      orphan: false,
    });
  }

  violation(rule: string, what: string): void {
    this.#tell(`${rule} BROKEN: ${what}`);
    if (this.wrong.length < 20) this.wrong.push(`${rule}: ${what}`);
  }

  parked(id: MessageId, at: NodeId): void {
    this.#tell(`${short(id)} parked at ${at}`);
  }

  /** A frame was not opened. */
  unopened(node: NodeId, why: Unopened): void {
    this.#refuse(why);
    if (this.hostile.size === 0 && !HONEST.has(why)) this.violation("S2", `${node} did not open what an honest node had sealed: ${why}`);
  }

  /** I6: nobody honest writes what cannot be read. */
  badBody(node: NodeId, error: MeshError): void {
    this.#refuse("bad body");
    if (this.hostile.size === 0) this.violation("I6", `${node} could not read what another node wrote: ${error.message}`);
  }

  /**
   * S4: messages whose senders were told that they had not run, and which ran; or that their time was over, and it was not. What is
   * idempotent may run in another life of its node from a copy that somebody kept.
   */
  toldWrong(): string[] {
    return [...this.sent.values()].flatMap((sent) => {
      const { ending = "", dispatches, endedAt, at, ttl, from } = sent;
      if (dispatches > 0 && !sent.durable && !sent.idempotent && NEVER_RAN.has(ending))
        return [`S4: ${this.name(sent)} ran, and its sender was told ${ending}`];
      const early = ending === "EXPIRED" && !sent.durable && endedAt < at + ttl - ROUNDING && from.starts === sent.endedIn;
      return early ? [`S4: ${this.name(sent)} ended as EXPIRED ${Math.round(at + ttl - endedAt)} ms before its time`] : [];
    });
  }

  /** I2: a work begins, which `sender` is said to have sent. */
  dispatched(node: NodeId, id: MessageId, sender: NodeId): void {
    const sent = this.sent.get(id);
    this.#tell(`${node} runs ${short(id)} of ${sender}`);
    // Who is hostile may send what it likes in its own name, also under the id of another.
    if (this.hostile.has(sender) && sent?.from.id !== sender) return;
    if (sent !== undefined && sent.from.id !== sender) this.violation("I2", `${this.name(sent)} ran in the name of ${sender}`);
    if (sent === undefined) return this.violation("I2", `${node} runs ${id}, which nobody sent`);
    if (sent.to !== node) this.violation("I2", `${this.name(sent)} ran at ${node}`);
    if (++sent.dispatches > 1 && !sent.idempotent) this.violation("I2", `${this.name(sent)} ran ${sent.dispatches} times`);
  }

  accepted(id: MessageId): void {
    const sent = this.sent.get(id);
    this.#tell(`${short(id)} accepted`);
    if (sent === undefined) return;
    if (sent.ending !== undefined && !this.#toldAnew(sent))
      this.violation("I6", `${this.name(sent)} was accepted after it had ended as ${sent.ending}`);
    sent.accepted = true;
  }

  /** I6: the end record came. */
  ended(id: MessageId, end: WorkEnd, responses: number): void {
    const sent = this.sent.get(id);
    if (end.state === "succeeded" && end.responses !== responses)
      this.violation("I6", `${id} succeeded with ${end.responses} responses, of which ${responses} came`);
    if (sent !== undefined && end.state === "succeeded" && sent.dispatches === 0)
      this.violation("I1", `${this.name(sent)} succeeded and never ran`);
    this.#end(id, end.error?.code ?? end.state);
  }

  failed(id: MessageId, code: string): void {
    this.#end(id, code);
  }

  wrongBytes(id: MessageId, what: string): void {
    this.violation("I6", `${id}: ${what}`);
  }

  name(sent: Sent): string {
    return `${sent.id} (${sent.from.id} to ${sent.to}, at ${Math.round(sent.at)}${sent.durable ? ", durable" : ""})`;
  }

  #refuse(why: string): void {
    this.refused.set(why, (this.refused.get(why) ?? 0) + 1);
  }

  #end(id: MessageId, how: string): void {
    const sent = this.sent.get(id);
    this.#tell(`${short(id)} ${how}`);
    if (sent === undefined) return;
    if (sent.ending !== undefined) {
      if (!this.#toldAnew(sent)) this.violation("I6", `${this.name(sent)} ended as ${sent.ending}, then as ${how}`);
      return;
    }
    sent.ending = how;
    sent.endedAt = this.#now();
    sent.endedIn = sent.from.starts;
    sent.shaky = sent.from.store.stats.state !== "ok";
  }

  /**
   * A sender that died right after it was told may hear again, in its next life, of what was accepted; never of what was not, unless its
   * disk could not be written to either.
   */
  #toldAnew(sent: Sent): boolean {
    return sent.durable && (sent.accepted || sent.shaky) && sent.from.starts > sent.endedIn;
  }
}

export function short(id: string): string {
  return `${id.slice(0, 4)}${id.slice(9, 11)}..${id.slice(-4)}`;
}
