import type { MessageId, NodeId } from "../../src/core/ids.ts";
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
  /** In which life of its sender. */
  endedIn: number;
  /** Its sender's disk failed at that moment. */
  shaky: boolean;
  cancelled: boolean;
  /** The sender's process died before it heard the end, and left nothing on disk: nobody waits any more. */
  orphan: boolean;
}

/** Every message of a run, judged at each event. */
export class Ledger {
  readonly sent = new Map<MessageId, Sent>();
  /** What was wrong, in the order in which it was seen. */
  readonly wrong: string[] = [];
  readonly #tell: (line: string) => void;

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  add(facts: Omit<Sent, "accepted" | "dispatches" | "ending" | "endedIn" | "shaky" | "cancelled" | "orphan">): void {
    const { id, from, to, durable, bytes } = facts;
    this.#tell(`${from.id} sends ${short(id)} to ${to}, ${bytes} bytes${durable ? ", durably" : ""}`);
    this.sent.set(id, {
      ...facts,
      accepted: false,
      dispatches: 0,
      ending: undefined,
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

  /** I2: a work begins. */
  dispatched(node: NodeId, id: MessageId): void {
    const sent = this.sent.get(id);
    this.#tell(`${node} runs ${short(id)}`);
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

  #end(id: MessageId, how: string): void {
    const sent = this.sent.get(id);
    this.#tell(`${short(id)} ${how}`);
    if (sent === undefined) return;
    if (sent.ending !== undefined) {
      if (!this.#toldAnew(sent)) this.violation("I6", `${this.name(sent)} ended as ${sent.ending}, then as ${how}`);
      return;
    }
    sent.ending = how;
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
