import type { Instant, Millis } from "../core/instant.ts";
import { bootLife } from "../wire/advertisement-layout.ts";
import { ROUTING } from "./numbers.ts";

/** A process that speaks for a node: its boot id, and how long it runs. */
export interface Process {
  readonly boot: string;
  readonly uptime: Millis;
}

/**
 * R4: tells a node that lives twice from one that lost its disk. What a former process left behind in the mesh falls silent once it is
 * refuted; another live process answers back. Boot ids are told apart by the 32 bits that name a life.
 */
export class Duplicates {
  readonly #own: ReadonlySet<number>;
  /** When each foreign process was refuted, lately. */
  readonly #refutations = new Map<number, Instant[]>();

  constructor(recentBoots: readonly string[]) {
    this.#own = new Set(recentBoots.slice(-ROUTING.recentBoots).map(bootLife));
  }

  /** What `boot` had said was refuted. */
  refuted(now: Instant, boot: number): void {
    if (this.#own.has(boot)) return;
    for (const [other, times] of this.#refutations) if (recent(times, now).length === 0) this.#refutations.delete(other);
    const times = recent(this.#refutations.get(boot) ?? [], now);
    times.push(now);
    this.#refutations.set(boot, times);
  }

  /** Whether `boot`, heard once more with something newer than this node has said, is alive. */
  live(now: Instant, boot: number): boolean {
    return recent(this.#refutations.get(boot) ?? [], now).length >= ROUTING.duplicateRefutations;
  }

  /** Whether `own` joined later than `other`: that one leaves. The boot ids decide where the clocks cannot. */
  isLater(own: Process, other: Process): boolean {
    const difference = own.uptime - other.uptime;
    return Math.abs(difference) < ROUTING.duplicateMargin ? own.boot > other.boot : difference < 0;
  }
}

function recent(times: readonly Instant[], now: Instant): Instant[] {
  return times.filter((at) => now - at <= ROUTING.duplicateWindow);
}
