import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, mkdir, readdir, realpath, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { dependencyNames, findPackage, isMissing, nameOf, readManifest } from "./package.ts";
import { PACKAGE } from "./place.ts";

/** What plugins may import this program's own package as. */
const HOST_NAME = "receptor-mesh";

interface File {
  /** Relative to its package. */
  readonly path: string;
  readonly size: number;
  readonly changed: bigint;
}

interface Member {
  readonly folder: string;
  readonly files: readonly File[];
  /** By the name that it is imported by, the folder of the package that it is. */
  readonly dependencies: ReadonlyMap<string, string>;
}

/** A package and all that it depends on, as they are on the disk now. */
export interface Closure {
  readonly folder: string;
  readonly members: ReadonlyMap<string, Member>;
  /** 16 hexadecimal digits that change when a file of a member does. */
  readonly fingerprint: string;
}

/** Looks at a package and its dependencies: their files by path, size and time of change, never their content. */
export async function closureOf(folder: string): Promise<Closure> {
  const members = new Map<string, Member>();
  const pending = [folder];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (members.has(next)) continue;
    const member = { folder: next, files: await filesOf(next), dependencies: await dependenciesOf(next) };
    members.set(next, member);
    for (const target of member.dependencies.values()) if (target !== PACKAGE) pending.push(target);
  }
  const hash = createHash("sha256");
  for (const member of [...members.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1))) {
    hash.update(`${member.folder}\n`);
    for (const { path, size, changed } of member.files) hash.update(`${path} ${size} ${changed}\n`);
    for (const [name, target] of member.dependencies) hash.update(`${name} -> ${target}\n`);
  }
  return { folder, members, fingerprint: hash.digest("hex").slice(0, 16) };
}

/**
 * Copies a closure to `<into>/<name>`, and resolves to the copy of its first package. The name must be another for each state of it. Node caches modules by their URL, so
 * that a new version of a package needs new URLs for every file in it and in its dependencies: a copy has them. Each member has
 * a folder of its own, with links to its dependencies in node_modules. A copy that is there already is whole, and used again.
 */
export async function copyClosure(closure: Closure, into: string, name: string): Promise<string> {
  const target = join(into, flat(name));
  const places = new Map(
    [...closure.members.keys()].map((folder, index) => [folder, index === 0 ? "package" : `${index}-${flat(basename(folder))}`]),
  );
  const whole = join(target, places.get(closure.folder) ?? "package");
  if (await exists(whole)) return whole;
  const temporary = join(into, `.${randomBytes(6).toString("hex")}`);
  try {
    for (const member of closure.members.values()) await copyMember(member, temporary, places);
    await rename(temporary, target);
  } catch (error) {
    // Somebody else may have made the same copy at the same time.
    if (!(await exists(whole))) throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return whole;
}

/** Removes the copies that nobody uses; `used`: folders in them. */
export async function removeCopies(into: string, used: readonly string[]): Promise<void> {
  const keep = new Set(used.map((folder) => relative(into, folder).split(/[/\\]/, 1)[0]));
  for (const entry of await names(into)) {
    if (keep.has(entry) || (entry.startsWith(".") && (await isYoung(join(into, entry))))) continue;
    await rm(join(into, entry), { recursive: true, force: true });
  }
}

async function copyMember(member: Member, root: string, places: ReadonlyMap<string, string>): Promise<void> {
  const place = join(root, places.get(member.folder) ?? "");
  const made = new Set<string>();
  for (const { path } of member.files) {
    const to = join(place, path);
    if (!made.has(dirname(to))) await mkdir(dirname(to), { recursive: true });
    made.add(dirname(to));
    await copyFile(join(member.folder, path), to, constants.COPYFILE_FICLONE);
  }
  for (const [name, target] of member.dependencies) {
    const link = join(place, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    const copied = places.get(target);
    await symlink(copied === undefined ? target : relative(dirname(link), join(root, copied)), link, "junction");
  }
}

/** Regular files; not what is installed inside, which is a dependency, and no links, which npm never packs. */
async function filesOf(folder: string): Promise<File[]> {
  const files: File[] = [];
  const walk = async (path: string): Promise<void> => {
    const entries = await readdir(join(folder, path), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name === "node_modules" || entry.name === ".git") continue;
      const inner = join(path, entry.name);
      if (entry.isDirectory()) await walk(inner);
      else if (entry.isFile()) {
        const facts = await stat(join(folder, inner), { bigint: true });
        files.push({ path: inner, size: Number(facts.size), changed: facts.mtimeNs });
      }
    }
  };
  await walk("");
  return files;
}

async function dependenciesOf(folder: string): Promise<Map<string, string>> {
  const manifest = (await readManifest(folder)) ?? {};
  const own = [...dependencyNames(manifest.dependencies), ...dependencyNames(manifest.optionalDependencies)];
  const found = new Map<string, string>();
  for (const name of new Set([...own, ...dependencyNames(manifest.peerDependencies)])) {
    const path = name === HOST_NAME && !own.includes(name) ? PACKAGE : await findPackage(name, folder);
    if (path !== undefined) found.set(name, await realpath(path));
  }
  // A package that names itself as its dependency is found through its own exports.
  found.delete(nameOf(manifest) ?? "");
  return found;
}

function flat(name: string): string {
  return name.replace(/[^A-Za-z0-9@._~-]+/g, "+");
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Whether somebody may still be writing it. */
async function isYoung(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs < 600_000;
  } catch (error) {
    if (isMissing(error)) return true;
    throw error;
  }
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
