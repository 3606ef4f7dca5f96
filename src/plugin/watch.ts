import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isFolderLocked } from "./folder-lock.ts";
import { isMissing } from "./package.ts";

/** Milliseconds between two looks. */
const LOOK_EVERY = 500;

/** What npm writes when it has changed a folder. */
const FILES = ["package.json", "package-lock.json", "node_modules/.package-lock.json"];

/** Of what is not there. */
const NONE = "none";

/**
 * Calls `onChange` within a second of a change of the plugin folder, once whoever changed it is done. It looks at three files twice a
 * second: that costs nothing, and sees what notifications miss, such as a folder that is made later or lies on another machine.
 */
export class FolderWatch {
  readonly #folder: string;
  readonly #onChange: () => void;
  #seen: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(folder: string, onChange: () => void) {
    this.#folder = folder;
    this.#onChange = onChange;
    void this.#look();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const now = await this.#state();
    if (this.#closed) return;
    if (now !== undefined) {
      if (this.#seen !== undefined && this.#seen !== now) this.#onChange();
      this.#seen = now;
    }
    this.#timer = setTimeout(() => void this.#look(), LOOK_EVERY);
    this.#timer.unref();
  }

  /** Undefined where it cannot be told now. */
  async #state(): Promise<string | undefined> {
    try {
      // Most nodes have no such folder, and one look tells.
      if ((await stamp(this.#folder)) === NONE) return FILES.map(() => NONE).join(" ");
      if (await isFolderLocked(this.#folder)) return undefined;
      const facts = await Promise.all(FILES.map((file) => stamp(join(this.#folder, file))));
      return facts.join(" ");
    } catch {
      // A folder that cannot be read now is looked at again in half a second; reload() says what is wrong with it.
      return undefined;
    }
  }
}

async function stamp(path: string): Promise<string> {
  try {
    const { size, mtimeNs, ino } = await stat(path, { bigint: true });
    return `${size}-${mtimeNs}-${ino}`;
  } catch (error) {
    if (isMissing(error)) return NONE;
    throw error;
  }
}
