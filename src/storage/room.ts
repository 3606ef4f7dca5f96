import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

const SPARE = 256 * 1024;

/**
 * Whether the disk of `dir` has room for LevelDB to open again: it writes its log anew as a table before it removes the log. Tried with a
 * file, because a quota does not show in the free space. Any failure is a no.
 */
export async function hasRoom(dir: string): Promise<boolean> {
  const path = join(dir, "PROBE");
  try {
    const bytes = (await logBytes(dir)) + SPARE;
    const file = await open(path, "w");
    try {
      const block = new Uint8Array(64 * 1024).fill(0x5a);
      for (let written = 0; written < bytes; written += block.length) await file.writeFile(block);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch {
    // Whatever stands in the way of a small file stands in the way of the store.
    return false;
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

async function logBytes(dir: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(dir)) {
    if (/^\d+\.log$/.test(name)) bytes += (await stat(join(dir, name))).size;
  }
  return bytes;
}
