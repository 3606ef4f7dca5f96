import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LevelStore, openLevelStore } from "../../../src/storage/level-store.ts";
import { entriesOf, write } from "../../../src/storage/promised.ts";

/** Runs `body` with a folder for a store, in a data folder of its own; both are removed afterwards. */
export async function withFolder(body: (dir: string, root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "receptor-store-"));
  try {
    await body(join(root, "store"), root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

export const key = (seq: number): string => `r${String(seq).padStart(8, "0")}`;

/** Bytes that only `seq` has, so that a wrong payload shows. */
export function payload(seq: number, size = 200): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = (seq + 1) * 2654435761;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Writes records `from` to before `to`, twenty a batch, which is what damage to a log takes away at once. */
export async function fill(store: LevelStore, from: number, to: number, size?: number): Promise<void> {
  for (let first = from; first < to; first += 20) {
    const count = Math.min(20, to - first);
    await write(
      store,
      Array.from({ length: count }, (_, i) => ({ type: "put", key: key(first + i), value: payload(first + i, size) })),
    );
  }
}

/** The numbers of the records in the store; throws where one has bytes that were never written. */
export async function sequences(store: LevelStore, size?: number): Promise<number[]> {
  const entries = await entriesOf(store, { from: "", to: "~" });
  return entries.map((entry) => {
    const seq = Number(entry.key.slice(1));
    if (entry.key !== key(seq) || Buffer.compare(entry.value, payload(seq, size)) !== 0)
      throw new RangeError(`wrong payload under ${entry.key}`);
    return seq;
  });
}

/** Makes a store once, whose files `damaged` then copies for each kind of damage. */
export async function original(dir: string, records: number, size?: number): Promise<void> {
  const store = await openLevelStore(dir);
  await fill(store, 0, records, size);
  await store.close();
}

/** A copy of the store in `from`, in an empty data folder of its own. */
export async function copyOf(from: string, root: string, name: string): Promise<string> {
  const dir = join(root, name, "store");
  await mkdir(join(root, name), { recursive: true });
  await cp(from, dir, { recursive: true });
  return dir;
}

export async function files(dir: string, pattern: RegExp): Promise<string[]> {
  return (await readdir(dir))
    .filter((name) => pattern.test(name))
    .toSorted()
    .map((name) => join(dir, name));
}
