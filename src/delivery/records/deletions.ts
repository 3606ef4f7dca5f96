import type { MeshError } from "../../core/errors.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import type { DeliveryPort, RecordOperation } from "../ports.ts";

const RETRY: Millis = 1_000;
/** What is beyond comes back after a restart, where each of its readers can bear it. */
const MOST = 65_536;

/**
 * Deletes records, and those that the store would not delete (a full disk refuses that too) again until it does. Also small records that
 * say that something else counts as deleted.
 */
export class Deletions {
  readonly #port: DeliveryPort;
  readonly #left = new Map<string, RecordOperation>();
  #retryAt: Instant | undefined;

  constructor(port: DeliveryPort) {
    this.#port = port;
  }

  /** `done` runs after the first attempt, with its error. */
  delete(keys: readonly string[], done?: (error: MeshError | undefined) => void): void {
    this.write(
      keys.map((key) => ({ type: "delete", key })),
      done,
    );
  }

  /** The same for any operations; a later one takes the place of an earlier one that is still to be tried again. */
  write(operations: readonly RecordOperation[], done: (error: MeshError | undefined) => void = () => undefined): void {
    this.supersede(operations);
    this.#port.records.write(operations, (error) => {
      if (error !== undefined && error.code !== "CLOSED") this.#keep(operations);
      done(error);
    });
  }

  /** These are written elsewhere: what was to be tried again for their keys is not. */
  supersede(operations: readonly RecordOperation[]): void {
    if (this.#left.size > 0) for (const { key } of operations) this.#left.delete(key);
  }

  nextWake(): Instant | undefined {
    return this.#left.size === 0 ? undefined : (this.#retryAt ?? -Infinity);
  }

  wake(now: Instant): void {
    if (this.#left.size === 0 || (this.#retryAt !== undefined && now < this.#retryAt)) return;
    const again = this.#retryAt !== undefined;
    this.#retryAt = now + RETRY;
    if (again) this.write([...this.#left.values()]);
  }

  #keep(operations: readonly RecordOperation[]): void {
    for (const operation of operations) if (this.#left.size < MOST) this.#left.set(operation.key, operation);
    this.#port.markDirty();
  }
}
