import { readdirSync, readFileSync } from "node:fs";

const PAGE = 4_096;
const MiB = 1024 * 1024;

/** Resident memory of a process in MiB. */
export function resident(pid: number): number {
  const pages = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1];
  return (Number(pages) * PAGE) / MiB;
}

/** Processor time of all threads of a process so far, in milliseconds. */
export function processorTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => sum + nanoseconds(pid, thread), 0) / 1e6;
}

function nanoseconds(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  } catch {
    // It ended meanwhile.
    return 0;
  }
}

/** The most memory that a process has while `what` goes on, in MiB. */
export async function peakDuring<T>(pid: number, what: () => Promise<T>): Promise<{ readonly value: T; readonly peak: number }> {
  let peak = resident(pid);
  const look = setInterval(() => (peak = Math.max(peak, resident(pid))), 20);
  try {
    return { value: await what(), peak: Math.max(peak, resident(pid)) };
  } finally {
    clearInterval(look);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
