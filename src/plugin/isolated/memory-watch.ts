import { readFile } from "node:fs/promises";

/** Milliseconds between two looks. */
const LOOK_EVERY = 250;
/** What /proc counts in: the page of every machine that Node runs on, but for some with larger ones, which are stopped too late by that factor. */
const PAGE = 4096;

/** Bytes that a process holds resident; undefined where this system does not say, or the process is gone. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  try {
    const [, resident] = (await readFile(`/proc/${pid}/statm`, "utf8")).split(" ");
    const pages = Number(resident);
    return Number.isFinite(pages) ? pages * PAGE : undefined;
  } catch {
    // No such system, or no such process any more: its end is seen elsewhere.
    return undefined;
  }
}

/** Calls `onOver` once when a process holds more than `limit` bytes; returns what ends the watch. */
export function watchMemory(pid: number, limit: number, onOver: (bytes: number) => void): () => void {
  const timer = setInterval(() => {
    void residentBytes(pid).then((bytes) => {
      if (bytes === undefined || bytes <= limit || over) return;
      over = true;
      clearInterval(timer);
      onOver(bytes);
    });
  }, LOOK_EVERY);
  let over = false;
  timer.unref();
  return () => {
    over = true;
    clearInterval(timer);
  };
}
