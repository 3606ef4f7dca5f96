import { existsSync } from "node:fs";
import { ProcessMesh } from "../support/mesh.ts";
import { Child } from "./support/child.ts";

/** A line for each message would cost the reader of the log, which is the benchmark, as much as the node. */
export const QUIET = ["--log-level", "warn"] as const;

type Close = () => Promise<void>;

/** What one measure has started, each in a process of its own on loopback. Ends it all in reverse order. */
export class Stage {
  readonly mesh = new ProcessMesh();
  readonly #open: Close[] = [() => this.mesh.close()];
  #closed = false;

  /** `program`: a file in programs/, with its extension if it is no TypeScript. */
  child(program: string): Child {
    this.#check();
    const child = new Child(program);
    this.own(() => child.stop());
    return child;
  }

  /** One of its own within this, for a mesh beside others. */
  part(): Stage {
    const part = new Stage();
    this.own(() => part.close());
    return part;
  }

  own(close: Close): void {
    this.#open.push(close);
  }

  /** Starts `receptor node`, which logs warnings alone; it is asked to end before it is made to. */
  async node(id: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    this.#check();
    const { listening } = await this.mesh.start(id, [...args, ...QUIET], { env });
    this.own(async () => void (await this.mesh.signal(id, "SIGTERM").catch(() => null)));
    return listening[0] ?? "";
  }

  /** For people, beside the figures. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (let close = this.#open.pop(); close !== undefined; close = this.#open.pop()) await close();
  }

  /** What starts beside something that has failed would outlive the benchmark. */
  #check(): void {
    if (this.#closed) throw new Error("the measure is over");
  }
}

/** Where Debian has it, which is not in everybody's path. */
export function natsServer(): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin"];
  return folders.map((folder) => `${folder}/nats-server`).find((path) => existsSync(path));
}
