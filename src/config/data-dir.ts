import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Where `receptor node` keeps its data if nothing says otherwise: `$XDG_DATA_HOME/receptor-mesh/ID`, else `~/.local/share/receptor-mesh/ID`. */
export function defaultDataDir(
  id: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  home: string = homedir(),
): string {
  const xdg = env["XDG_DATA_HOME"];
  // The XDG specification has relative paths ignored.
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(home, ".local", "share");
  const name = id ?? "default";
  // "." and ".." are node ids too, but no folder names.
  return join(base, "receptor-mesh", /^\.+$/.test(name) ? `node-${name}` : name);
}
