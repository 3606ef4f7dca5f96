import { readFileSync } from "node:fs";

/** What a live process takes of real memory, and took at most, in MB (1,000,000 bytes). Linux only. */
export function memoryOf(pid: number): { readonly now: number; readonly most: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): number => (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024) / 1e6;
  return { now: field("VmRSS"), most: field("VmHWM") };
}
