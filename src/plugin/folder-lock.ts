import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { MeshError } from "../core/errors.ts";
import { isMissing } from "./package.ts";

const NAME = ".lock";
const LOOK_EVERY = 100;

/**
 * Runs `task` while nobody else, of this process or another on this machine, changes the folder; waits for its turn. The lock
 * of a process that is gone does not count. Rejects with ABORTED.
 */
export async function withFolderLock<T>(folder: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, NAME);
  while (!(await take(path))) {
    if (!(await isFolderLocked(folder))) await rm(path, { force: true });
    else await pause(signal);
  }
  try {
    return await task();
  } finally {
    await rm(path, { force: true });
  }
}

/** Whether somebody who is alive changes the folder now. */
export async function isFolderLocked(folder: string): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(join(folder, NAME), "utf8");
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  // Empty: it was made this instant, and its owner has yet to write its id.
  return text === "" || isAlive(Number(text));
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is alive, and another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await wait(LOOK_EVERY, undefined, { signal });
  } catch (cause) {
    throw new MeshError("ABORTED", "the call was ended while it waited for another one that changes the plugin folder", { cause });
  }
}
