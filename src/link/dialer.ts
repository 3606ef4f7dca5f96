import { Backoff } from "../core/backoff.ts";
import type { Instant, Millis, Random } from "../core/instant.ts";
import { TIMES } from "../core/limits.ts";
import type { Machine } from "../core/machine.ts";

/**
 * dialed: the pipe is open, the greeting begins. up: there is a link to the peer, whoever dialled it. down: the session or the link that
 * was reported is gone.
 */
export type DialerInput = {
  readonly type: "start" | "dialed" | "dial-failed" | "up" | "down" | "stop" | "wake";
};

/** cancel-dial: end the dialling, and the pipe if it is open already. `attempt` counts from 1 since the last link. */
export type DialerEffect = { readonly type: "dial"; readonly attempt: number } | { readonly type: "cancel-dial" };

export type DialerState =
  | { readonly type: "stopped" }
  | { readonly type: "waiting"; readonly until: Instant }
  | { readonly type: "dialing" }
  | { readonly type: "greeting" }
  | { readonly type: "up"; readonly since: Instant };

export interface DialerOptions {
  readonly random: Random;
  /** Default: TIMES.redial. */
  readonly backoff?: { readonly initial: Millis; readonly factor: number; readonly maximum: Millis };
}

/** A link that falls sooner than this is no better than a dial that failed. */
const BRIEF: Millis = 1_000;
const NOTHING: readonly DialerEffect[] = [];

type Handler = (dialer: Dialer, now: Instant) => readonly DialerEffect[];

/** Keeps a link to one configured peer, for ever: dials at once, then with backoff and full jitter. */
export class Dialer implements Machine<DialerInput, DialerEffect> {
  readonly #random: Random;
  readonly #backoff: Backoff;
  readonly #firstWait: Millis;
  #state: DialerState = { type: "stopped" };
  #attempt = 0;

  constructor(options: DialerOptions) {
    const backoff = options.backoff ?? TIMES.redial;
    this.#random = options.random;
    this.#backoff = new Backoff(backoff, options.random);
    this.#firstWait = backoff.initial;
  }

  get state(): DialerState {
    return this.#state;
  }

  step(now: Instant, input: DialerInput): readonly DialerEffect[] {
    return Dialer.#TABLE[this.#state.type][input.type](this, now);
  }

  nextWake(): Instant | undefined {
    return this.#state.type === "waiting" ? this.#state.until : undefined;
  }

  #dial(): readonly DialerEffect[] {
    this.#state = { type: "dialing" };
    this.#attempt++;
    return [{ type: "dial", attempt: this.#attempt }];
  }

  #wait(until: Instant): readonly DialerEffect[] {
    this.#state = { type: "waiting", until };
    return NOTHING;
  }

  #lost(now: Instant, since: Instant): readonly DialerEffect[] {
    const service = now - since;
    if (service >= TIMES.redialReset) this.#backoff.reset();
    this.#attempt = 0;
    return this.#wait(now + (service < BRIEF ? this.#backoff.next() : this.#random() * this.#firstWait));
  }

  #cancel(state: DialerState): readonly DialerEffect[] {
    this.#state = state;
    return [{ type: "cancel-dial" }];
  }

  static readonly #ignore: Handler = () => NOTHING;
  static readonly #retry: Handler = (dialer, now) => dialer.#wait(now + dialer.#backoff.next());
  static readonly #stop: Handler = (dialer) => {
    dialer.#state = { type: "stopped" };
    return NOTHING;
  };
  static readonly #stopDial: Handler = (dialer) => dialer.#cancel({ type: "stopped" });
  static readonly #arrive: Handler = (dialer, now) => {
    dialer.#state = { type: "up", since: now };
    return NOTHING;
  };

  static readonly #TABLE: Readonly<Record<DialerState["type"], Readonly<Record<DialerInput["type"], Handler>>>> = {
    stopped: {
      start: (dialer) => {
        dialer.#backoff.reset();
        dialer.#attempt = 0;
        return dialer.#dial();
      },
      // The dial that was cancelled had ended already.
      dialed: Dialer.#stopDial,
      "dial-failed": Dialer.#ignore,
      up: Dialer.#ignore,
      down: Dialer.#ignore,
      stop: Dialer.#ignore,
      wake: Dialer.#ignore,
    },
    waiting: {
      start: Dialer.#ignore,
      dialed: Dialer.#ignore,
      "dial-failed": Dialer.#ignore,
      up: Dialer.#arrive,
      down: Dialer.#ignore,
      stop: Dialer.#stop,
      wake: (dialer, now) => {
        const { until } = dialer.#state as Extract<DialerState, { type: "waiting" }>;
        return now < until ? NOTHING : dialer.#dial();
      },
    },
    dialing: {
      start: Dialer.#ignore,
      dialed: (dialer) => {
        dialer.#state = { type: "greeting" };
        return NOTHING;
      },
      "dial-failed": Dialer.#retry,
      up: (dialer, now) => dialer.#cancel({ type: "up", since: now }),
      down: Dialer.#ignore,
      stop: Dialer.#stopDial,
      wake: Dialer.#ignore,
    },
    greeting: {
      start: Dialer.#ignore,
      dialed: Dialer.#ignore,
      "dial-failed": Dialer.#retry,
      up: Dialer.#arrive,
      down: Dialer.#retry,
      stop: Dialer.#stopDial,
      wake: Dialer.#ignore,
    },
    up: {
      start: Dialer.#ignore,
      dialed: Dialer.#ignore,
      "dial-failed": Dialer.#ignore,
      up: Dialer.#ignore,
      down: (dialer, now) => {
        const { since } = dialer.#state as Extract<DialerState, { type: "up" }>;
        return dialer.#lost(now, since);
      },
      stop: Dialer.#stop,
      wake: Dialer.#ignore,
    },
  };
}
