import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A holder that has not renewed its lock for this long is gone, whatever its process id says by now. */
const STALE = 15_000;

/**
 * Runs `action` while this process alone holds the lock file, so that two installs or builds at once do not fight.
 * @template T
 * @param {string} path
 * @param {{ timeout: number, onWait: (holder: string) => void }} options rejects after `timeout` milliseconds of waiting
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function withLock(path, { timeout, onWait }, action) {
  mkdirSync(dirname(path), { recursive: true });
  const until = Date.now() + timeout;
  for (let told = false; !take(path); told = true) {
    const holder = read(path);
    if (holder !== undefined && (holder.age > STALE || !alive(holder.pid))) steal(path, holder.pid);
    else if (Date.now() > until)
      throw new Error(`${path} has been held by process ${holder?.pid} for too long: end it, or remove the file`);
    else {
      if (!told) onWait(holder?.pid ?? "?");
      await wait(100);
    }
  }
  const renewal = setInterval(() => renew(path), STALE / 5);
  try {
    return await action();
  } finally {
    clearInterval(renewal);
    rmSync(path, { force: true });
  }
}

function take(path) {
  try {
    const file = openSync(path, "wx");
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** Undefined where the lock is free by now. */
function read(path) {
  try {
    return { pid: readFileSync(path, "utf8"), age: Date.now() - statSync(path).mtimeMs };
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

function renew(path) {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
}

function alive(pid) {
  const number = Number(pid);
  // A holder that has just made the file has not written its id yet.
  if (!(number > 0)) return true;
  try {
    process.kill(number, 0);
    return true;
  } catch (error) {
    return error.code !== "ESRCH";
  }
}

/** Renaming lets one of several thieves win; who took a fresh lock by mistake gives it back. */
function steal(path, pid) {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (error.code === "ENOENT") return;
    throw error;
  }
  if (readFileSync(aside, "utf8") === pid) rmSync(aside, { force: true });
  else renameSync(aside, path);
}
