import type { Instant, Millis, Random } from "../core/instant.ts";

export interface LivenessTimes {
  /** A ping goes out after 70 to 90 % of this without bytes from the peer. */
  readonly keepalive: Millis;
  /** The peer is given up after this long without bytes. */
  readonly stale: Millis;
  /** A wake that comes later than this says that we stalled, not the peer. */
  readonly stall: Millis;
}

interface Probe {
  readonly from: Instant;
  readonly until: Instant;
  readonly answer: (now: Instant, alive: boolean) => void;
  /** It ended late once, because we stalled, and was given its time again. */
  readonly extended: boolean;
}

/** What a wake asks for. */
export type Vital = "well" | "ping" | "dead";

/**
 * Wakes fall on multiples of a hundredth of the keepalive time, 50 ms: the links of a node with many are asked in few wakes. With one for each, a
 * thousand idle links take twice the processor, and what they allocate keeps V8 from seeing that the node is idle.
 */
const GRID = 1 / 100;

/** Whether the peer of one link lives: any byte is life; silence is first asked about, then believed. */
export class Liveness {
  /** When bytes last came. */
  heard: Instant = 0;
  readonly #times: LivenessTimes;
  readonly #grid: Millis;
  readonly #random: Random;
  #interval: Millis = 0;
  #wakeAt: Instant = 0;
  /** `heard` as the last grace set it: still the same, the peer has been silent since. */
  #grace: Instant | undefined;
  #pinged: Instant | undefined;
  #probes: readonly Probe[] = [];
  #rtt: Millis | undefined;

  constructor(times: LivenessTimes, random: Random) {
    this.#times = times;
    this.#grid = times.keepalive * GRID;
    this.#random = random;
  }

  /** Smoothed over about 8 pings. */
  get rtt(): Millis | undefined {
    return this.#rtt;
  }

  start(now: Instant): void {
    this.heard = now;
    this.#wakeAt = this.#onGrid(now + this.#renew());
  }

  nextWake(): Instant {
    let next = this.#wakeAt;
    for (const probe of this.#probes) next = Math.min(next, probe.until);
    return next;
  }

  /** `paused`: we are not reading, so that silence says nothing. */
  wake(now: Instant, paused: boolean): Vital {
    this.#endProbes(now);
    if (now < this.#wakeAt) return "well";
    const stalled = now - this.#wakeAt > this.#times.stall && this.heard !== this.#grace;
    if (stalled) {
      this.heard = now;
      this.#grace = now;
      this.#wakeAt = this.#onGrid(now + this.#renew());
      return "ping";
    }
    // Sums, not differences: they must round as the wake times did, or a wake could ask for itself again.
    if (now >= this.heard + this.#times.stale) return "dead";
    if (now < this.heard + this.#interval) {
      this.#wakeAt = this.#onGrid(this.heard + this.#interval);
      return "well";
    }
    if (paused) this.heard = now;
    this.#wakeAt = this.#onGrid(Math.min(now + this.#renew(), this.heard + this.#times.stale));
    return "ping";
  }

  /** A ping with this time in it is on its way. */
  pinged(now: Instant): void {
    this.#pinged = now;
  }

  /** The answer to the ping that was sent at `sent`, or so the peer says. */
  answered(now: Instant, sent: Instant): void {
    if (sent === this.#pinged) {
      const sample = Math.max(0, now - sent);
      this.#rtt = this.#rtt === undefined ? sample : this.#rtt + (sample - this.#rtt) / 8;
      this.#pinged = undefined;
    }
    this.#resolve(now, (probe) => (sent >= probe.from && sent <= now ? true : undefined));
  }

  /** Says by `within` whether the peer has answered a ping sent now; the caller sends it. */
  probe(now: Instant, within: Millis, answer: Probe["answer"]): void {
    this.#probes = [...this.#probes, { from: now, until: now + within, answer, extended: false }];
  }

  /** The link is over: nobody answers. */
  stop(now: Instant): void {
    this.#resolve(now, () => false);
  }

  /** Only the answer counts: other bytes may have been on their way since before the peer died. */
  #endProbes(now: Instant): void {
    if (this.#probes.length === 0) return;
    this.#probes = this.#probes.map((probe) => {
      const span = probe.until - probe.from;
      return !probe.extended && now - probe.until > span / 4 ? { ...probe, until: now + span, extended: true } : probe;
    });
    this.#resolve(now, (probe) => (now >= probe.until ? false : undefined));
  }

  #resolve(now: Instant, verdict: (probe: Probe) => boolean | undefined): void {
    if (this.#probes.length === 0) return;
    const before = this.#probes;
    this.#probes = before.filter((probe) => verdict(probe) === undefined);
    for (const probe of before) {
      const alive = verdict(probe);
      if (alive !== undefined) probe.answer(now, alive);
    }
  }

  /** Never earlier, so that what was due is due. */
  #onGrid(at: Instant): Instant {
    return Math.max(at, Math.ceil(at / this.#grid) * this.#grid);
  }

  #renew(): Millis {
    this.#interval = this.#times.keepalive * (0.7 + 0.2 * this.#random());
    return this.#interval;
  }
}
