import { MeshError } from "../../src/core/errors.ts";
import type { MessageId, NodeId } from "../../src/core/ids.ts";
import type { DestinationEvents, WorkRequest } from "../../src/delivery/ports.ts";
import type { Life } from "./node.ts";
import { matches, patternOf } from "./pattern.ts";

/** `sim:run` runs at most once, `sim:again` may run again. */
export const DIRECTIVE = { once: "sim:run", again: "sim:again" } as const;

/** What a message of the simulation says about itself, in its headers. */
export interface Plan {
  readonly number: number;
  readonly bytes: number;
  readonly answers: readonly number[];
}

export function planHeaders({ number, bytes, answers }: Plan): Record<string, string> {
  return { number: String(number), bytes: String(bytes), answers: answers.join(",") };
}

interface Work {
  readonly sender: NodeId;
  readonly plan: Plan;
  read: number;
  /** The payload has come whole. */
  whole: boolean;
  begun: boolean;
  over: boolean;
  answered: number;
}

/** The worker's side of a simulated node: takes work, reads its payload, answers, ends; checks every byte. */
export class SimWorker implements DestinationEvents {
  readonly #life: Life;
  readonly #works = new Map<MessageId, Work>();

  constructor(life: Life) {
    this.#life = life;
  }

  isIdempotent(directive: string): boolean {
    return directive === DIRECTIVE.again;
  }

  mayFollow(): boolean {
    return true;
  }

  onRequest(request: WorkRequest): void {
    const { number, bytes, answers } = request.headers;
    const plan = { number: Number(number), bytes: Number(bytes), answers: answers === "" ? [] : (answers ?? "").split(",").map(Number) };
    const work: Work = { sender: request.sender, plan, read: 0, whole: !request.streamed, begun: false, over: false, answered: 0 };
    this.#works.set(request.id, work);
    if (!request.streamed && (request.payload.length !== plan.bytes || !matches(plan.number, 0, request.payload)))
      this.#life.ledger.wrongBytes(request.id, "its payload differs from what was sent");
    this.#life.later(this.#life.random() < 0.5 ? 0 : this.#life.random() * 20, (delivery) => {
      if (this.#life.random() < 0.03) return delivery.destination.refuse(this.#life.now(), request.id, new MeshError("BUSY", "no room"));
      delivery.destination.accept(request.id);
      if (!request.hold) this.#begin(request.id, work);
    });
  }

  onConfirm(id: MessageId): void {
    const work = this.#works.get(id);
    if (work !== undefined && !work.begun) this.#begin(id, work);
  }

  onCancel(id: MessageId, error: MeshError): void {
    const work = this.#works.get(id);
    if (work === undefined || work.over) return;
    work.over = true;
    this.#life.later(1, (delivery) => delivery.destination.end(this.#life.now(), id, { state: "cancelled", exitCode: undefined, error }));
  }

  onPayloadBytes(id: MessageId, bytes: Uint8Array): void {
    const work = this.#works.get(id);
    if (work === undefined) return;
    if (!matches(work.plan.number, work.read, bytes)) this.#life.ledger.wrongBytes(id, `its payload differs after ${work.read} bytes`);
    work.read += bytes.length;
    const { length } = bytes;
    this.#life.later(this.#life.random() * 5, (delivery) => delivery.destination.consumed(id, length));
  }

  onPayloadEnd(id: MessageId): void {
    const work = this.#works.get(id);
    if (work === undefined) return;
    work.whole = true;
    if (work.read !== work.plan.bytes) this.#life.ledger.wrongBytes(id, `its payload ended after ${work.read} of ${work.plan.bytes} bytes`);
    if (work.begun) this.#answerSoon(id, work);
  }

  onResponseWritable(id: MessageId): void {
    const work = this.#works.get(id);
    if (work?.begun === true && work.whole) this.#life.later(0, () => this.#answer(id, work));
  }

  #begin(id: MessageId, work: Work): void {
    work.begun = true;
    this.#life.ledger.dispatched(this.#life.node, id, work.sender);
    if (work.whole) this.#answerSoon(id, work);
  }

  #answerSoon(id: MessageId, work: Work): void {
    const { random } = this.#life;
    this.#life.later(random() < 0.1 ? random() * 5_000 : random() * 100, () => this.#answer(id, work));
  }

  #answer(id: MessageId, work: Work): void {
    if (work.over) return;
    const { answers, number } = work.plan;
    const { destination } = this.#life.engine.delivery;
    while (work.answered < answers.length) {
      const payload = patternOf(number + work.answered, 0, answers[work.answered] ?? 0);
      work.answered++;
      if (!destination.respond(id, { content: "bytes", channel: undefined }, payload)) return this.#life.engine.poke();
    }
    work.over = true;
    destination.end(this.#life.now(), id, { state: "succeeded", exitCode: undefined, error: undefined });
    this.#life.engine.poke();
  }
}
