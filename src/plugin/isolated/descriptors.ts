import { closeSync, readdirSync, readFileSync } from "node:fs";

const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes what a process was handed beyond its input, its outputs and its channel. Node opens nothing that passes on to another program,
 * but what a node itself was handed by who started it passes on. Only where /proc tells, on Linux.
 */
export function closeInherited(): void {
  for (const name of namesIn("/proc/self/fd")) {
    const fd = Number(name);
    if (fd > 3 && passesOn(fd)) closeSync(fd);
  }
}

function passesOn(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    // It was the listing's own.
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Another system.
    return [];
  }
}
