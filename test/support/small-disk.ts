import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";

/** Why a small file system cannot be mounted here; undefined where it can. */
export function whyNoMount(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid?.() !== 0) return "needs root";
  const trial = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { encoding: "utf8" });
  return trial.status === 0 ? undefined : `cannot mount: ${(trial.stderr ?? "no unshare").trim()}`;
}

/** Runs `body` with a file system of so many MiB at `disk`, which is made. It is gone afterwards, also where `body` fails. */
export async function onSmallDisk(disk: string, mebibytes: number, body: () => Promise<void>): Promise<void> {
  mkdirSync(disk, { recursive: true });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", disk], { encoding: "utf8" });
  if (mounted.status !== 0) throw new RangeError(mounted.stderr);
  const unmount = (): void => void spawnSync("umount", ["--lazy", disk]);
  // A test that takes too long is left behind by its runner.
  process.once("exit", unmount);
  try {
    await body();
  } finally {
    process.off("exit", unmount);
    // Lazily: a failed test may have left a store open.
    unmount();
  }
}
