import { access } from "node:fs/promises";
import { resolve } from "node:path";

export const FILE_NAME = "receptor.config.yaml";
export const SYSTEM_FILE = "/etc/receptor/receptor.config.yaml";

/**
 * The configuration file that counts: `explicit`, else RECEPTOR_CONFIG, else the one in the working folder, else the system's, as an
 * absolute path; undefined where there is none. One that was named is returned whether it exists or not.
 */
export async function findConfigFile(
  explicit: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Promise<string | undefined> {
  const named = explicit ?? (env["RECEPTOR_CONFIG"] === "" ? undefined : env["RECEPTOR_CONFIG"]);
  if (named !== undefined) return resolve(cwd, named);
  for (const path of [resolve(cwd, FILE_NAME), SYSTEM_FILE]) {
    // Only what is not there is passed over; one that cannot be read is a problem to report.
    const missing = await access(path).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === "ENOENT" || error.code === "ENOTDIR",
    );
    if (!missing) return path;
  }
  return undefined;
}
