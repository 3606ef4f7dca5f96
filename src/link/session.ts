import { MeshError, toMeshError } from "../core/errors.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { LIMITS, TIMES } from "../core/limits.ts";
import { FIRST_ROUTED_KIND, FLAG, FRAME, frameLimit, LINK_HEADER, OFFSET, ROUTED_HEADER } from "../wire/frame.ts";
import { decodeGoodbye, decodeKeepalive, encodeGoodbye, encodeHello, encodeKeepalive, type Greeting } from "../wire/greeting.ts";
import { FrameParser } from "../wire/parser.ts";
import type { LinkHooks, LinkOptions, LinkPort, LinkTimes } from "./contract.ts";
import { readHello } from "./hello.ts";
import { Liveness } from "./liveness.ts";
import { Outbox } from "./outbox.ts";
import { linkFrame } from "./shared-frame.ts";
import { SlabPool } from "./slab.ts";
import { eventOf, isOver, type LinkAction, type LinkState, TRANSITIONS } from "./states.ts";

export type { Greeting } from "../wire/greeting.ts";
export type { LinkHooks, LinkOptions, LinkPort, LinkTimes } from "./contract.ts";
export type { LinkState } from "./states.ts";

/** What the port has at most to send a goodbye. */
const CLOSING: Millis = 2_000;
const NO_BODY = new Uint8Array(0);

/** One session with a peer over one byte pipe: greeting, keepalive, output queue, close. States and invariants: SPEC.md. */
export class LinkSession {
  readonly role: "dialer" | "listener";
  readonly #local: Greeting;
  /** Until it is sent. */
  #hello: Uint8Array | undefined;
  readonly #port: LinkPort;
  readonly #hooks: LinkHooks;
  readonly #times: LinkTimes;
  readonly #parser: FrameParser;
  readonly #outbox: Outbox;
  readonly #liveness: Liveness;
  #state: LinkState = "greeting";
  #now: Instant = 0;
  #since: Instant = 0;
  #deadline: Instant | undefined;
  #graced = false;
  #peer: Greeting | undefined;
  #pauses = 0;

  /** Throws TOO_LARGE where the local greeting does not fit its frame. */
  constructor(options: LinkOptions, port: LinkPort, hooks: LinkHooks) {
    this.role = options.role;
    this.#local = options.local;
    this.#hello = encodeHello(options.local);
    this.#port = port;
    this.#hooks = hooks;
    this.#times = { greeting: TIMES.greeting, keepalive: TIMES.keepalive, stale: TIMES.stale, stall: TIMES.stall, ...options.times };
    this.#liveness = new Liveness(this.#times, options.random);
    this.#outbox = new Outbox(port, hooks, options.slabs ?? new SlabPool(), options.random);
    this.#parser = new FrameParser((bytes, view, start, end) => this.#onFrame(bytes, view, start, end), LIMITS.greetingFrame);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Once it has said hello. */
  get peer(): Greeting | undefined {
    return this.#peer;
  }

  /** The protocol's minor version that both ends have; 0 before the greeting. */
  get versionMinor(): number {
    return Math.min(this.#local.versionMinor, this.#peer?.versionMinor ?? 0);
  }

  get rtt(): Millis | undefined {
    return this.#liveness.rtt;
  }

  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  /** Over LIMITS.linkQueueHigh was queued; ends with `onWritable`. */
  get congested(): boolean {
    return this.#outbox.congested;
  }

  /** When it came up; before that, when it started. */
  get since(): Instant {
    return this.#since;
  }

  /** Says hello. To be called once, when the port is open. */
  start(now: Instant): void {
    this.#since = now;
    this.#deadline = now + this.#times.greeting;
    if (this.#hello !== undefined) this.#outbox.pushLink(FRAME.hello, 0, this.#hello);
    this.#hello = undefined;
  }

  receive(now: Instant, chunk: Uint8Array): void {
    if (isOver(this.#state)) return;
    this.#now = now;
    this.#liveness.heard = now;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (isOver(this.#state)) throw error;
      this.#fail(toMeshError(error));
    }
  }

  /** The engine's answer after "later". */
  settle(now: Instant, refusal?: MeshError): void {
    if (this.#state !== "judging") return;
    if (refusal !== undefined) {
      this.#end(now, refusal, false, true);
      return;
    }
    this.#state = "admitted";
    this.#parser.lift();
    this.#ping(now);
  }

  /** Sends a frame to the other end of the link; false: not up, or dropped. Throws TOO_LARGE over the limit of its kind. */
  sendLink(kind: number, body: Uint8Array, flags = 0): boolean {
    const length = body.length + LINK_HEADER;
    if (length > frameLimit(kind)) throw new MeshError("TOO_LARGE", `a frame of ${length} bytes, kind ${kind}, is over its limit`);
    return this.#state === "up" && this.#outbox.pushLink(kind, flags, body);
  }

  /** Copies the whole routed frame in `bytes[start, end)` into the output; false: not up, or dropped. */
  sendRouted(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#state === "up" && this.#outbox.push(bytes[start + OFFSET.kind] as number, bytes, start, end);
  }

  /** After a frame of `length` bytes, of many that are being made: what has gathered may leave before the end of the tick. */
  hasten(length: number): void {
    this.#outbox.hasten(length);
  }

  flush(_now: Instant): void {
    this.#outbox.flush();
  }

  drained(_now: Instant): void {
    this.#outbox.drained();
  }

  /** Reads nothing more, but what has been read already, until `resumeInput` was called as often. */
  pauseInput(): void {
    if (this.#pauses++ === 0) this.#port.pause();
  }

  resumeInput(): void {
    if (this.#pauses === 0) return;
    if (--this.#pauses === 0) this.#port.resume();
  }

  /** Asks the peer for a sign of life; `answer` runs once, within the time, or at once where the link is not up. */
  probe(now: Instant, within: Millis, answer: (now: Instant, alive: boolean) => void): void {
    if (this.#state !== "up") {
      answer(now, false);
      return;
    }
    this.#liveness.probe(now, within, answer);
    this.#ping(now);
  }

  /** The port is closed. */
  pipeClosed(now: Instant, error?: MeshError): void {
    this.#now = now;
    this.#act(TRANSITIONS[this.#state]["pipe-closed"], NO_BODY, 0, 0, error);
  }

  /** Says goodbye, with the reason if there is one, and closes the port. Closing twice is harmless. */
  close(now: Instant, reason?: MeshError): void {
    this.#end(now, reason, false, true);
  }

  wake(now: Instant): void {
    const due = this.nextWake();
    if (due === undefined || now < due) return;
    this.#now = now;
    const late = now - due > this.#times.stall;
    if (late && !this.#graced && this.#deadline !== undefined && this.#state !== "closing") {
      // We were away, so the peer may well have answered in time.
      this.#graced = true;
      this.#deadline = now + this.#times.greeting;
      return;
    }
    this.#act(TRANSITIONS[this.#state].deadline, NO_BODY, 0, 0);
  }

  nextWake(): Instant | undefined {
    return this.#state === "up" ? this.#liveness.nextWake() : this.#deadline;
  }

  #onFrame(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const kind = bytes[start + OFFSET.kind] as number;
    if (kind >= FIRST_ROUTED_KIND && this.#state === "up") {
      if (end - start < ROUTED_HEADER)
        throw new MeshError("PROTOCOL_ERROR", `a routed frame of ${end - start} bytes is shorter than its header`);
      this.#hooks.onRouted(this.#now, bytes, view, start, end);
      return;
    }
    const body = bytes.subarray(start + LINK_HEADER, end);
    this.#act(TRANSITIONS[this.#state][eventOf(kind)], body, kind, bytes[start + OFFSET.flags] as number);
  }

  #act(action: LinkAction, body: Uint8Array, kind: number, flags: number, error?: MeshError): void {
    const now = this.#now;
    switch (action) {
      case "greet":
        return this.#greet(now, body);
      case "hang-up":
        return this.#abort(now, new MeshError("PROTOCOL_ERROR", "the first frame is no hello"));
      case "refuse":
        return this.#end(now, new MeshError("PROTOCOL_ERROR", `a frame of kind ${kind} has no place here`), false, true);
      case "confirm":
        return this.#confirm(now, decodeKeepalive(body), flags);
      case "answer":
        return this.#answer(now, decodeKeepalive(body), flags);
      case "farewell":
        return this.#end(now, decodeGoodbye(body), true, false);
      case "deliver-link":
        return this.#hooks.onLinkFrame(now, kind, body);
      case "slow":
        return this.#fail(new MeshError("SLOW_GREETING", `no greeting within ${this.#times.greeting} ms`));
      case "check-life":
        return this.#checkLife(now);
      case "lost":
        return this.#abort(now, error ?? new MeshError("CONNECT_FAILED", "the connection ended without a goodbye"), true);
      case "abort":
        this.#port.close(true);
        return this.#gone();
      case "gone":
        return this.#gone();
      case "deliver-routed":
      case "ignore":
        return;
    }
  }

  #greet(now: Instant, body: Uint8Array): void {
    const { greeting, refusal } = readHello(body, this.#local);
    this.#state = "judging";
    this.#peer = greeting;
    this.#deadline = now + this.#times.greeting;
    const verdict = refusal ?? (greeting === undefined ? undefined : this.#hooks.onGreeting(greeting));
    if (verdict !== "later") this.settle(now, verdict);
  }

  #confirm(now: Instant, sent: Instant, flags: number): void {
    this.#state = "up";
    this.#since = now;
    this.#deadline = undefined;
    this.#liveness.start(now);
    this.#answer(now, sent, flags);
    this.#hooks.onUp(now);
  }

  #answer(now: Instant, sent: Instant, flags: number): void {
    if ((flags & FLAG.reply) !== 0) this.#liveness.answered(now, sent);
    else {
      this.#parser.trim();
      this.#outbox.pushLink(FRAME.keepalive, FLAG.reply, encodeKeepalive(sent));
    }
  }

  /** Pings are for silence, so what long frames needed is not needed now. */
  #ping(now: Instant): void {
    this.#parser.trim();
    this.#liveness.pinged(now);
    this.#outbox.pushLink(FRAME.keepalive, 0, encodeKeepalive(now));
  }

  #checkLife(now: Instant): void {
    const vital = this.#liveness.wake(now, this.#pauses > 0);
    // A probe that ended may have closed the link.
    if (this.#state !== "up") return;
    if (vital === "ping") this.#ping(now);
    if (vital === "dead") {
      const silent = Math.round(now - this.#liveness.heard);
      this.#end(now, new MeshError("TIMEOUT", `the peer has been silent for ${silent} ms`, { data: { silent } }), false, true);
    }
  }

  /** What was read or handled went wrong: a stranger is not told why. */
  #fail(error: MeshError): void {
    if (this.#state === "greeting") this.#abort(this.#now, error);
    else this.#end(this.#now, error, false, true);
  }

  #end(now: Instant, reason: MeshError | undefined, byPeer: boolean, goodbye: boolean): void {
    if (isOver(this.#state)) return;
    this.#state = "closing";
    this.#deadline = now + CLOSING;
    this.#parser.stop();
    this.#outbox.end(goodbye ? linkFrame(FRAME.goodbye, 0, encodeGoodbye(reason)) : undefined);
    this.#port.close(false);
    this.#liveness.stop(now);
    this.#hooks.onClosed(reason, byPeer);
  }

  #abort(now: Instant, reason: MeshError | undefined, byPeer = false): void {
    this.#gone();
    this.#port.close(true);
    this.#liveness.stop(now);
    this.#hooks.onClosed(reason, byPeer);
  }

  #gone(): void {
    this.#state = "closed";
    this.#deadline = undefined;
    this.#parser.stop();
    this.#outbox.discard();
  }
}
