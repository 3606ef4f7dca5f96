const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const PROCESSORS = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

/**
 * The optional packages that entries of a lockfile name and that it does not have, with the entry that each should get.
 * @param {{ packages: Record<string, any> }} lock
 * @returns {{ place: string, entry: object }[]}
 */
export function missingOptionals(lock) {
  const missing = new Map();
  for (const [parent, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(optionalDependencies)) {
      const nested = `${parent}/node_modules/${name}`;
      const place = `node_modules/${name}`;
      if (lock.packages[nested] !== undefined || lock.packages[place] !== undefined) continue;
      const version = /\d+\.\d+\.\d+[\w.+-]*/.exec(range)?.[0];
      if (version !== undefined) missing.set(place, { version, ...(dev === true ? { dev } : {}), optional: true, ...platform(name) });
    }
  }
  return [...missing].map(([place, entry]) => ({ place, entry }));
}

/** A native package says in its name what it is for. */
function platform(name) {
  const words = name.split(/[/@_-]/);
  if (words.includes("fsevents")) return { os: ["darwin"] };
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  if (words.some((word) => word.startsWith("wasm"))) return { cpu: ["wasm32"] };
  const libc = os.includes("linux")
    ? [words.some((word) => word.startsWith("musl")) ? "musl" : words.some((word) => word.startsWith("gnu")) ? "glibc" : undefined].filter(
        Boolean,
      )
    : [];
  return { ...(cpu.length > 0 ? { cpu } : {}), ...(os.length > 0 ? { os } : {}), ...(libc.length > 0 ? { libc } : {}) };
}
