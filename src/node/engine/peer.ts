import { type MeshError } from "../../core/errors.ts";
import type { Instant } from "../../core/instant.ts";
import { Dialer, type DialerInput } from "../../link/dialer.ts";
import type { Pipe } from "../../transports/transport.ts";
import type { Agenda, Wakeable } from "./agenda.ts";
import type { Environment } from "./environment.ts";

export interface PeerHandlers {
  onPipe(pipe: Pipe): void;
  onFailed(error: MeshError): void;
}

/** A peer that was configured: dialled until it answers, and again whenever its link is lost. */
export class Peer implements Wakeable {
  readonly url: string;
  readonly cost: number;
  readonly #env: Environment;
  readonly #agenda: Agenda;
  readonly #handlers: PeerHandlers;
  readonly #dialer: Dialer;
  #cancel: (() => void) | undefined;
  #pipe: Pipe | undefined;
  /** The link that serves in the place of its own. */
  #restsOn: object | undefined;
  #tried = false;
  /** Why the last attempt failed; undefined while it is linked. */
  lastError: MeshError | undefined;

  constructor(url: string, cost: number, env: Environment, agenda: Agenda, handlers: PeerHandlers) {
    this.url = url;
    this.cost = cost;
    this.#env = env;
    this.#agenda = agenda;
    this.#handlers = handlers;
    this.#dialer = new Dialer({ random: env.random });
  }

  get linked(): boolean {
    return this.#dialer.state.type === "up";
  }

  /** It is linked, or has failed at least once. */
  get tried(): boolean {
    return this.#tried || this.linked;
  }

  start(): void {
    this.#step("start");
  }

  stop(): void {
    this.#step("stop");
    this.#agenda.remove(this);
  }

  up(): void {
    this.lastError = undefined;
    this.#pipe = undefined;
    this.#step("up");
  }

  down(): void {
    this.#restsOn = undefined;
    this.#pipe = undefined;
    this.#tried = true;
    this.#step("down");
  }

  /** The peer is linked by another session; dial again when that one falls. */
  rest(link: object): void {
    this.#restsOn = link;
    this.up();
  }

  restsOn(link: object): boolean {
    return this.#restsOn === link;
  }

  /** The URL leads back to this node: there is nobody to dial. */
  giveUp(): void {
    this.#tried = true;
    this.#step("stop");
  }

  nextWake(): Instant | undefined {
    return this.#dialer.nextWake();
  }

  wake(): void {
    this.#step("wake");
  }

  #step(type: DialerInput["type"]): void {
    for (const effect of this.#dialer.step(this.#env.now(), { type })) {
      if (effect.type === "dial") this.#dial();
      else this.#abandon();
    }
    this.#agenda.touch(this);
  }

  #dial(): void {
    this.#cancel = this.#env.dial(this.url, (error, pipe) => {
      this.#cancel = undefined;
      if (pipe === undefined) {
        this.lastError = error;
        this.#tried = true;
        if (error !== undefined) this.#handlers.onFailed(error);
        this.#step("dial-failed");
        return;
      }
      this.#pipe = pipe;
      this.#step("dialed");
      if (this.#pipe !== undefined) this.#handlers.onPipe(pipe);
    });
  }

  #abandon(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#pipe?.close(true);
    this.#pipe = undefined;
  }
}
