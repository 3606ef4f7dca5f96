import { sep } from "node:path";

/** What hiding needs of the system. */
export const HIDING_TOOLS = "unshare, mount and setpriv of util-linux";

/**
 * Arguments: the plugin folder, the folders to hide, "--", the command. Each folder is covered by an empty one that cannot be written; the
 * plugin folder shows through, and cannot be written either. The command is begun at a path that is looked up anew: the folder that
 * this began in may be under the cover. Without a capability it cannot take the cover away, nor can it in a namespace of its own, where
 * what that inherits is locked. It may not look into processes outside, such as the node's, since those have more rights than it.
 */
const SCRIPT = `
was=$PWD
plugins=$1
shift
cd "$plugins" 2>/dev/null || plugins=
while [ "$1" != -- ]; do
  mount -n -t tmpfs -o size=64k,mode=755 none "$1" || exit
  case "$plugins" in "$1"/*)
    mkdir -p "$plugins" && mount -n -c --bind . "$plugins" && mount -n -o remount,bind,ro "$plugins" || exit
  esac
  mount -n -o remount,ro "$1" || exit
  shift
done
shift
cd "$was" 2>/dev/null || cd /
exec setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all "$@"
`;

/** What is to be put before a command so that it, and all that it starts, has these folders hidden. All are absolute, without links. */
export function hidingCommand(folders: readonly string[], plugins: string): readonly string[] {
  const namespaces = ["--user", "--map-current-user", "--keep-caps", "--mount"];
  return ["unshare", ...namespaces, "sh", "-c", SCRIPT, "sh", plugins, ...folders, "--"];
}

/** Whether a path is a folder, or something in it. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
