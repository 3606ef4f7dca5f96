import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder of its own for a test. It lies below a `node_modules`, so that the test runner leaves loading plugins to Node. */
export class Workshop implements AsyncDisposable {
  readonly root: string;
  readonly #temporary: string;

  private constructor(temporary: string) {
    this.#temporary = temporary;
    this.root = join(temporary, "node_modules", ".workshop");
  }

  static async open(): Promise<Workshop> {
    const workshop = new Workshop(await realpath(await mkdtemp(join(tmpdir(), "receptor-test-"))));
    await mkdir(workshop.root, { recursive: true });
    return workshop;
  }

  /** Lets other users of the machine read it. */
  async share(): Promise<void> {
    await chmod(this.#temporary, 0o755);
  }

  get pluginDir(): string {
    return join(this.root, "data", "plugins");
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  async write(path: string, content: string | object): Promise<string> {
    const full = this.path(path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, typeof content === "string" ? content : JSON.stringify(content));
    return full;
  }

  /** Writes a package at `folder`; returns its path. */
  async package(folder: string, files: Readonly<Record<string, string>>, manifest: object = {}): Promise<string> {
    const name = folder.split("/node_modules/").at(-1) ?? folder;
    await rm(this.path(folder), { recursive: true, force: true });
    await this.write(join(folder, "package.json"), {
      name,
      version: "1.0.0",
      type: "module",
      keywords: ["receptor-plugin"],
      receptor: { plugin: "./index.js", api: "^1" },
      ...manifest,
    });
    for (const [path, content] of Object.entries(files)) await this.write(join(folder, path), content);
    return this.path(folder);
  }

  /** Puts a package into the plugin folder, as npm would. */
  async install(name: string, files: Readonly<Record<string, string>>, manifest: object = {}): Promise<void> {
    await this.package(`data/plugins/node_modules/${name}`, files, { name, ...manifest });
    this.#installed.add(name);
    await this.#writeDependencies();
  }

  async uninstall(name: string): Promise<void> {
    await rm(this.path("data/plugins/node_modules", name), { recursive: true });
    this.#installed.delete(name);
    await this.#writeDependencies();
  }

  readonly #installed = new Set<string>();

  async #writeDependencies(): Promise<void> {
    await this.write("data/plugins/package.json", {
      dependencies: Object.fromEntries([...this.#installed].map((name) => [name, "1.0.0"])),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#temporary, { recursive: true, force: true });
  }
}

/** The source of a plugin whose action `run` answers `answer`, an expression. */
export function source(name: string, answer = '"hello"', head = ""): string {
  return `${head}\nexport default { name: ${JSON.stringify(name)}, actions: { async *run() { yield ${answer}; } } };\n`;
}

/** What the action `run` of a definition yields. */
export async function answers(definition: { readonly actions: Readonly<Record<string, unknown>> } | undefined): Promise<unknown[]> {
  const action = definition?.actions["run"];
  if (typeof action !== "function") throw new TypeError("no action run");
  const all: unknown[] = [];
  for await (const answer of action()) all.push(answer);
  return all;
}
