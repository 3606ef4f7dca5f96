import { ChurnMap } from "../../core/churn-map.ts";
import { MeshError } from "../../core/errors.ts";
import { isMessageId, type MessageId, nodeId, type NodeId } from "../../core/ids.ts";
import { LIMITS, TIMES } from "../../core/limits.ts";
import type { OriginEvents } from "../../delivery/ports.ts";
import { encodeMetadata } from "../../wire/message.ts";
import type { SendOptions, SendPayload } from "../api.ts";
import type { Engine } from "../engine/engine.ts";
import { InputFeed, preparePayload, type Prepared } from "./payload.ts";
import { SentWork, type SentWorkPort } from "./sent-work.ts";

const DIRECTIVE = /^[a-z0-9][a-z0-9-]{0,63}:[A-Za-z0-9_-]{1,64}$/;
const HEADERS = 32;

/** What is so about few works: those with an input of their own, and those that were sent before. */
interface Special {
  feed: InputFeed | undefined;
  /** The first response wanted, for a work that was attached. */
  wanted: number;
  begin: (() => void) | undefined;
  /** Sent by an earlier life of this node; `claimed` once the program has asked for it. */
  earlier: "unclaimed" | "claimed" | undefined;
}

/** Works of earlier lives that failed before the program asked for them: so many are kept for it. */
const FAILED = 10_000;

/** The sending side of a node: works that this program has sent or follows. */
export class Sender {
  readonly #engine: Engine;
  readonly #defaultTtl: number;
  readonly #port: SentWorkPort;
  readonly #works = new ChurnMap<MessageId, SentWork>();
  readonly #special = new Map<MessageId, Special>();
  readonly #failed = new Map<MessageId, SentWork>();
  #last: { readonly directive: string; readonly metadata: Uint8Array } | undefined;

  constructor(engine: Engine, defaultTtl: number = TIMES.timeToLive) {
    this.#engine = engine;
    this.#defaultTtl = defaultTtl;
    const { origin } = engine.delivery;
    this.#port = {
      consumed: (id, count) => origin.following.consumed(id, count),
      cancel: (id, error) => {
        origin.cancel(engine.now(), id, error);
        engine.poke();
      },
      forget: (work) => this.#forget(work),
    };
  }

  works(): Iterable<SentWork> {
    return this.#works.values();
  }

  /** Sends to one node. The handle is there at once; whether it is accepted shows later. Throws INVALID_ARGUMENT, TOO_LARGE. */
  send(node: NodeId, directive: string, payload: SendPayload | undefined, options: SendOptions, hold = false): SentWork {
    const metadata = this.#metadata(directive, options.headers);
    const prepared = preparePayload(payload);
    const open = options.input === "open";
    const streamed = open || prepared.type === "stream";
    if (streamed && options.durable === true) {
      throw new MeshError(
        "TOO_LARGE",
        `a durable message carries its payload with it: at most ${LIMITS.inlinePayload} bytes, and no open input`,
      );
    }
    const now = this.#engine.now();
    const id = this.#engine.delivery.origin.send(now, {
      node,
      metadata,
      payload: prepared.type === "inline" && !streamed ? prepared.bytes : new Uint8Array(0),
      streamed,
      ttl: checkTime(options.ttl, "ttl") ?? this.#defaultTtl,
      deadline: checkTime(options.deadline, "deadline"),
      durable: options.durable ?? false,
      hold,
    });
    const work = this.#register(now, id, node, directive);
    if (streamed) this.#feed(work, prepared, open);
    this.#engine.poke();
    return work;
  }

  /** The handle on a durable message that an earlier life of this node sent, and that was taken up again. */
  claim(id: string, from: number): SentWork | undefined {
    if (!isMessageId(id)) return undefined;
    const failed = this.#failed.get(id);
    if (this.#failed.delete(id)) return failed;
    const special = this.#special.get(id);
    if (special?.earlier !== "unclaimed") return undefined;
    special.earlier = "claimed";
    special.wanted = from;
    return this.#works.get(id);
  }

  /** Follows a work that was sent before. */
  attach(id: string, node: string, from: number, ttl: number): SentWork {
    if (!isMessageId(id)) throw new MeshError("INVALID_ARGUMENT", `"${id}" is no work id`);
    if (!Number.isInteger(from) || from < 1) throw new MeshError("INVALID_ARGUMENT", "responses are numbered from 1");
    const now = this.#engine.now();
    if (!this.#engine.delivery.origin.attach(now, id, nodeId(node), from, ttl)) {
      throw new MeshError("INVALID_ARGUMENT", "this program follows that work already");
    }
    const work = this.#register(now, id, nodeId(node), "");
    this.#specialOf(id).wanted = from;
    this.#engine.poke();
    return work;
  }

  /** What delivery reports, by message. */
  events(): OriginEvents {
    const engine = this.#engine;
    return {
      onRestored: (id, node, directive) => {
        this.#register(engine.now(), id, node, directive);
        this.#specialOf(id).earlier = "unclaimed";
      },
      onParked: (id, node, ttl) => this.#works.get(id)?.onParked(node, ttl),
      onAccepted: (id, node) => {
        const work = this.#works.get(id);
        if (work === undefined) return;
        const special = this.#special.get(id);
        if (special?.earlier !== undefined) return this.#followEarlier(work, special);
        work.onAccepted(node);
        begin(special);
      },
      onResponseBytes: (id, bytes) => this.#works.get(id)?.onBytes(bytes),
      onResponseEnd: (id) => this.#works.get(id)?.onStreamEnd(),
      onInputWritable: (id) => this.#special.get(id)?.feed?.onWritable(),
      onFailed: (id, error) => this.#works.get(id)?.onFailed(error),
      onRerun: (id) => this.#works.get(id)?.onRerun(),
      onAttached: (id, serial) => {
        const special = this.#special.get(id);
        this.#works.get(id)?.onAttached(serial, special?.wanted ?? 1);
        begin(special);
      },
    };
  }

  /** Fails what is still under way; the node closes. */
  close(error: MeshError): void {
    for (const work of this.#works.values()) work.onFailed(error);
  }

  /** The same for each message of one directive without headers: what was made last is used again. */
  #metadata(directive: string, headers: Readonly<Record<string, string>> | undefined): Uint8Array {
    if (headers === undefined && directive === this.#last?.directive) return this.#last.metadata;
    checkDirective(directive);
    if (headers !== undefined && Object.keys(headers).length > HEADERS)
      throw new MeshError("TOO_LARGE", `a message has at most ${HEADERS} headers`);
    const metadata = encodeMetadata(this.#engine.id, directive, headers ?? {});
    if (headers === undefined) this.#last = { directive, metadata };
    return metadata;
  }

  /** How many responses the earlier life has had is not known: they are asked for anew, or left at the worker until somebody asks. */
  #followEarlier(work: SentWork, special: Special): void {
    const engine = this.#engine;
    const { origin } = engine.delivery;
    origin.detach(work.id);
    if (special.earlier === "unclaimed") {
      this.#works.delete(work.id);
      this.#special.delete(work.id);
    } else origin.attach(engine.now(), work.id, work.node, special.wanted, Infinity);
    special.earlier = undefined;
    engine.poke();
  }

  #keepFailed(work: SentWork): void {
    this.#failed.set(work.id, work);
    if (this.#failed.size > FAILED) for (const oldest of this.#failed.keys()) if (this.#failed.delete(oldest)) break;
  }

  #register(now: number, id: MessageId, node: NodeId, directive: string): SentWork {
    const work = new SentWork(id, node, directive, now, this.#port);
    this.#works.set(id, work);
    return work;
  }

  #specialOf(id: MessageId): Special {
    const special: Special = { feed: undefined, wanted: 1, begin: undefined, earlier: undefined };
    this.#special.set(id, special);
    return special;
  }

  #forget(work: SentWork): void {
    this.#works.delete(work.id);
    const special = this.#special.get(work.id);
    if (special === undefined) return;
    this.#special.delete(work.id);
    if (special.earlier === "unclaimed") this.#keepFailed(work);
    special.feed?.onWritable();
  }

  /** The payload waits for the receipt: until then nobody would take it. */
  #feed(work: SentWork, prepared: Prepared, open: boolean): void {
    const { origin } = this.#engine.delivery;
    const feed = new InputFeed({
      write: (bytes) => origin.following.writeInput(work.id, bytes),
      end: () => origin.following.endInput(work.id),
      fail: (error) => {
        origin.cancel(this.#engine.now(), work.id, error);
        this.#engine.poke();
      },
      get over() {
        return work.over;
      },
    });
    const special = this.#specialOf(work.id);
    special.feed = feed;
    const accepted = new Promise<void>((resolve) => {
      special.begin = resolve;
    });
    const source = prepared.type === "stream" ? prepared.source : [prepared.bytes];
    const first = accepted.then(() => feed.pump(source, open));
    if (open) work.input = feed.writable(first);
  }
}

/** Its payload may flow. */
function begin(special: Special | undefined): void {
  special?.begin?.();
  if (special !== undefined) special.begin = undefined;
}

/** Throws INVALID_ARGUMENT where `directive` is not of the form `plugin:action`. */
export function checkDirective(directive: string): void {
  if (directive === checked) return;
  if (!DIRECTIVE.test(directive))
    throw new MeshError("INVALID_ARGUMENT", `"${directive}" is no directive: write plugin:action, as in echo:run`);
  checked = directive;
}

/** The last that was right: most programs send the same again. */
let checked: string | undefined;

function checkTime(value: number | undefined, name: string): number | undefined {
  if (value === undefined || (Number.isFinite(value) && value >= 0)) return value;
  throw new MeshError("INVALID_ARGUMENT", `${name} is a number of milliseconds, 0 or more`);
}
