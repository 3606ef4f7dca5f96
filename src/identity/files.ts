import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MeshError } from "../core/errors.ts";

/** Undefined where there is no such file. Rejects with CONFIG_INVALID. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new MeshError("CONFIG_INVALID", `${path} cannot be read: ${codeOf(cause)}`, { cause });
  }
}

/** The same for a key; rejects with CONFIG_INVALID where others than its owner may read or change it. */
export async function readKeyIfThere(path: string): Promise<string | undefined> {
  const text = await readIfThere(path);
  if (text !== undefined) await checkPrivate(path);
  return text;
}

/** The names in a folder; none where there is no such folder. Rejects with CONFIG_INVALID. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return [];
    throw new MeshError("CONFIG_INVALID", `${folder} cannot be read: ${codeOf(cause)}`, { cause });
  }
}

/** Rejects with CONFIG_INVALID where others than the owner may read or change the file. */
export async function checkPrivate(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return;
  throw new MeshError("CONFIG_INVALID", `${path} holds a private key and is open to other users: chmod 600 ${path}`, { data: { path } });
}

/** Writes a file that only its owner may read: whole and on disk, or not at all. Rejects with CONFIG_INVALID. */
export async function writePrivate(path: string, text: string): Promise<void> {
  // A node and a command may write one file at one time.
  const draft = `${path}.${randomBytes(6).toString("hex")}.new`;
  try {
    await makePrivateFolder(dirname(path));
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(draft, 0o600);
    await rename(draft, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw new MeshError("CONFIG_INVALID", `${path} cannot be written: ${codeOf(cause)}`, { cause });
  }
}

/**
 * Puts a file in the place of another of its folder; on disk when it resolves. Does nothing where `from` is not there: somebody else has done
 * so. Rejects with CONFIG_INVALID.
 */
export async function replaceFile(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    await syncFolder(dirname(to));
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return;
    throw new MeshError("CONFIG_INVALID", `${to} cannot be replaced: ${codeOf(cause)}`, { cause });
  }
}

/** Without this a power cut may undo a rename. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a file that must not be there yet; false: it is. Rejects with CONFIG_INVALID. */
export async function createPrivate(path: string, text: string): Promise<boolean> {
  try {
    await makePrivateFolder(dirname(path));
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    throw new MeshError("CONFIG_INVALID", `${path} cannot be written: ${codeOf(cause)}`, { cause });
  }
}

async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : String(thrown);
}
