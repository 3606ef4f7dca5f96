import type { MeshError } from "../core/errors.ts";
import type { Instant, Millis } from "../core/instant.ts";
import type { DeliveryPort } from "./ports.ts";

const RETRY: Millis = 1_000;
/** What is beyond comes back after a restart, where each of its readers can bear it. */
const MOST = 65_536;

/** Deletes records, and those that the store would not delete (a full disk refuses that too) again until it does. */
export class Deletions {
  readonly #port: DeliveryPort;
  readonly #left = new Set<string>();
  #retryAt: Instant | undefined;

  constructor(port: DeliveryPort) {
    this.#port = port;
  }

  /** `done` runs after the first attempt, with its error. */
  delete(keys: readonly string[], done: (error: MeshError | undefined) => void = () => undefined): void {
    this.#port.records.write(
      keys.map((key) => ({ type: "delete", key })),
      (error) => {
        if (error === undefined) for (const key of keys) this.#left.delete(key);
        else if (error.code !== "CLOSED") this.#keep(keys);
        done(error);
      },
    );
  }

  nextWake(): Instant | undefined {
    return this.#left.size === 0 ? undefined : (this.#retryAt ?? -Infinity);
  }

  wake(now: Instant): void {
    if (this.#left.size === 0 || (this.#retryAt !== undefined && now < this.#retryAt)) return;
    const again = this.#retryAt !== undefined;
    this.#retryAt = now + RETRY;
    if (again) this.delete([...this.#left]);
  }

  #keep(keys: readonly string[]): void {
    for (const key of keys) if (this.#left.size < MOST) this.#left.add(key);
    this.#port.markDirty();
  }
}
