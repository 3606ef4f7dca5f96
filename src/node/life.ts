import { fromUtf8, utf8 } from "../core/bytes.ts";
import type { MeshError } from "../core/errors.ts";
import type { Millis } from "../core/instant.ts";
import type { Store } from "../storage/store.ts";

const KEY = "node/life";
const BOOTS = 16;

/** One life of a node, from start to stop. */
export interface Life {
  readonly epoch: number;
  /** 32 hexadecimal digits: 8 that name the store, 24 that are new in each life. */
  readonly boot: string;
  /** Those of the lives before, the latest last. */
  readonly recentBoots: readonly string[];
}

/**
 * Begins a new life: the epoch is raised and on disk before `done` runs (R2). `forgetful`: the store has lost records, maybe of works that it
 * took; under another name nobody takes it for the one that remembers them.
 */
export function beginLife(
  store: Store,
  randomBytes: (count: number) => Uint8Array,
  done: (error: MeshError | undefined, life: Life | undefined) => void,
  forgetful = false,
): void {
  store.get(KEY, (error, value) => {
    if (error !== undefined) return done(error, undefined);
    const before = readLife(value);
    const kept = forgetful ? undefined : before.boots.at(-1)?.slice(0, 8);
    const storeName = kept ?? hex(randomBytes(4));
    const life: Life = { epoch: before.epoch + 1, boot: storeName + hex(randomBytes(12)), recentBoots: before.boots.slice(-BOOTS) };
    saveLife(store, life, life.epoch, (failed) => done(failed, failed === undefined ? life : undefined));
  });
}

/** Remembers a greater epoch, which the node took because the mesh knew one of its own that it did not (R3). */
export function saveLife(store: Store, life: Life, epoch: number, done: (error: MeshError | undefined) => void): void {
  const value = utf8(JSON.stringify({ epoch, boots: [...life.recentBoots, life.boot].slice(-BOOTS) }));
  store.write([{ type: "put", key: KEY, value }], done);
}

/** Between two tries to store an epoch. */
const RETRY: Millis = 1_000;

/** Stores the greatest epoch that it was told, and tries again until it is stored: a full disk must not let the next life begin below. */
export class EpochKeeper {
  readonly #store: Store;
  readonly #life: Life;
  readonly #later: (delay: Millis, task: () => void) => () => void;
  readonly #failed: (error: MeshError) => void;
  #epoch: number;
  #busy = false;
  #closed = false;
  #cancel: (() => void) | undefined;

  /** `later` runs a task after a delay and returns what cancels it; `failed` hears of each try that failed. */
  constructor(store: Store, life: Life, later: (delay: Millis, task: () => void) => () => void, failed: (error: MeshError) => void) {
    this.#store = store;
    this.#life = life;
    this.#later = later;
    this.#failed = failed;
    this.#epoch = life.epoch;
  }

  raise(epoch: number): void {
    if (epoch <= this.#epoch) return;
    this.#epoch = epoch;
    if (!this.#busy && !this.#closed) this.#save();
  }

  /** Tries no more. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #save(): void {
    this.#busy = true;
    const epoch = this.#epoch;
    saveLife(this.#store, this.#life, epoch, (error) => {
      if (this.#closed) return;
      if (error !== undefined) {
        this.#failed(error);
        this.#cancel = this.#later(RETRY, () => this.#save());
        return;
      }
      this.#busy = false;
      if (this.#epoch > epoch) this.#save();
    });
  }
}

function readLife(value: Uint8Array | undefined): { epoch: number; boots: string[] } {
  const parsed = value === undefined ? undefined : parse(fromUtf8(value) ?? "");
  if (typeof parsed !== "object" || parsed === null || !("epoch" in parsed) || typeof parsed.epoch !== "number")
    return { epoch: 0, boots: [] };
  const boots =
    "boots" in parsed && Array.isArray(parsed.boots) ? parsed.boots.filter((boot): boot is string => typeof boot === "string") : [];
  return { epoch: parsed.epoch, boots };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
