import { open, rm } from "node:fs/promises";
import { join } from "node:path";

/** What some small writes need, with the files that LevelDB begins when it opens. */
const ROOM = 64 * 1024;

/**
 * Whether the disk of `dir` has room for a little more. Tried with a file, because a quota does not show in the free space. Any failure is a
 * no. Whether LevelDB can open again, which writes its log anew as a table, only the attempt tells: a table is compressed.
 */
export async function hasRoom(dir: string): Promise<boolean> {
  const path = join(dir, "PROBE");
  try {
    const file = await open(path, "w");
    try {
      await file.writeFile(new Uint8Array(ROOM).fill(0x5a));
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
