import { createHash } from "node:crypto";
import { isMeshError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/instant.ts";
import type { MeshNode, SendOptions, SendPayload, Work } from "../../src/node/api.ts";

/** What a message asks for: a small work, the same kept on disk, a payload stream, a response stream, responses over a second. */
export type Kind = "small" | "durable" | "upload" | "download" | "long";

/** How a message ended at its sender. `wrong`: as done, but not with the answer that it must have. */
export type Outcome = "done" | "interrupted" | "refused" | "expired" | "failed" | "wrong" | "open";

export interface Sent {
  readonly number: number;
  readonly kind: Kind;
  readonly node: string;
  outcome: Outcome;
  /** The code of its error; what was wrong with the answer; of an open one, how far it came. */
  why: string;
  /** Milliseconds from sending to the end. */
  took: number;
  /** What its sender was told on the way. */
  way: string;
}

export interface TrafficOptions {
  readonly sender: MeshNode;
  readonly targets: readonly string[];
  readonly random: Random;
  readonly perSecond: number;
  /** Milliseconds to live of each message. */
  readonly ttl: number;
  /** How often each kind is sent, as shares of the whole. */
  readonly kinds: Readonly<Partial<Record<Kind, number>>>;
}

const BEAT = 10;
const STREAM = 100_000;
const COUNT = 10;
/** Refused before it can have begun. */
const REFUSED = new Set(["BUSY", "CLOSED", "DENIED", "HOP_LIMIT", "NO_ROUTE", "STORE_FULL", "TOO_LARGE", "UNKNOWN_ACTION", "UNKNOWN_NODE"]);

interface Request {
  readonly directive: string;
  readonly payload: SendPayload;
  /** What the responses must be, as text, each on a line. */
  readonly answer: (text: string) => boolean;
}

/** Sends numbered messages across the mesh at a steady rate, and follows each to its end. */
export class Traffic {
  readonly sent: Sent[] = [];
  readonly #options: TrafficOptions;
  readonly #under = new Map<Sent, Promise<void>>();
  readonly #works = new Map<Sent, Work>();
  #timer: NodeJS.Timeout | undefined;
  /** What ends from now on, as the sender closes, ends too late. */
  #settled = false;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** How many have not ended. */
  get under(): number {
    return this.#under.size;
  }

  start(): void {
    const began = performance.now();
    const first = this.sent.length;
    this.#timer = setInterval(() => {
      const due = first + ((performance.now() - began) / 1_000) * this.#options.perSecond;
      while (this.sent.length < due) this.#next();
    }, BEAT);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Resolves when every message has ended, or after so many milliseconds; what has not is still `open`. */
  async settle(limit: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limit)));
    await Promise.race([Promise.all(this.#under.values()), late]);
    clearTimeout(timer);
    for (const [sent, { state, node }] of this.#works) sent.why = `${state} at ${node}`;
    this.#settled = true;
  }

  #next(): void {
    const { random, targets } = this.#options;
    const node = targets[Math.floor(random() * targets.length)] ?? "";
    const sent: Sent = { number: this.sent.length, kind: this.#kind(), node, outcome: "open", why: "", took: 0, way: "" };
    this.sent.push(sent);
    const end = (): void => {
      this.#under.delete(sent);
      this.#works.delete(sent);
    };
    this.#under.set(sent, this.#send(sent).finally(end));
  }

  async #note(sent: Sent, work: Work): Promise<void> {
    for await (const event of work.events()) {
      if (event.type === "parked") sent.way += ` parked at ${event.node}`;
      else if (event.type === "accepted") sent.way += ` accepted ${new Date().toISOString()}`;
    }
  }

  #kind(): Kind {
    const kinds = Object.entries(this.#options.kinds) as [Kind, number][];
    let at = this.#options.random() * kinds.reduce((sum, [, share]) => sum + share, 0);
    for (const [kind, share] of kinds) {
      at -= share;
      if (at < 0) return kind;
    }
    return "small";
  }

  async #send(sent: Sent): Promise<void> {
    const began = performance.now();
    const { directive, payload, answer } = request(sent);
    const options: SendOptions = {
      ttl: this.#options.ttl,
      headers: { number: String(sent.number) },
      waitFor: "sent",
      durable: sent.kind === "durable",
    };
    try {
      const work = await this.#options.sender.send(sent.node, directive, payload, options);
      this.#works.set(sent, work);
      void this.#note(sent, work);
      const texts: string[] = [];
      for await (const response of work) texts.push(response.payload === undefined ? await lengthOf(response.stream()) : response.text());
      await work.result();
      const text = texts.join("\n");
      sent.outcome = answer(text) ? "done" : "wrong";
      if (sent.outcome === "wrong") sent.why = text.slice(0, 200);
    } catch (error) {
      if (this.#settled) return;
      sent.why = isMeshError(error) ? error.code : String(error);
      sent.outcome = outcomeOf(sent.why);
    }
    sent.took = performance.now() - began;
  }
}

function request({ number, kind }: Sent): Request {
  switch (kind) {
    case "small":
    case "durable": {
      const payload = `message ${number}`;
      return { directive: "ledger:note", payload, answer: (text) => text === sha1(payload) };
    }
    case "upload": {
      const payload = Buffer.alloc(STREAM, `${number} `);
      return { directive: "ledger:note", payload, answer: (text) => text === sha1(payload) };
    }
    case "download":
      return { directive: "ledger:give", payload: { bytes: STREAM }, answer: (text) => text === String(STREAM) };
    case "long": {
      const answer = Array.from({ length: COUNT }, (_, at) => at + 1).join("\n");
      return { directive: "ledger:count", payload: { count: COUNT, interval: 1_000 / COUNT }, answer: (text) => text === answer };
    }
  }
}

async function lengthOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let length = 0;
  for await (const chunk of stream) length += chunk.length;
  return String(length);
}

function sha1(payload: string | Uint8Array): string {
  return createHash("sha1").update(payload).digest("hex");
}

function outcomeOf(code: string): Outcome {
  if (code === "EXPIRED") return "expired";
  if (code === "WORK_INTERRUPTED" || code === "RESPONSES_GONE") return "interrupted";
  return REFUSED.has(code) ? "refused" : "failed";
}
