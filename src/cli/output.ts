import type { Writable } from "node:stream";
import { styleText } from "node:util";
import { MeshError } from "../core/errors.ts";
import { escapeText } from "./escape.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** A stream that may be a terminal. */
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export interface OutputOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Nobody reads stdout any more, or it cannot be written. */
  readonly onClosed?: () => void;
}

/** Where commands write: results to stdout, what is about them to stderr. */
export class Output {
  json = false;
  quiet = false;
  readonly terminal: boolean;
  readonly #options: OutputOptions;
  readonly #colour: boolean;
  #broken = false;
  #failure: MeshError | undefined;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.terminal = options.stdout.isTTY === true;
    this.#colour = this.terminal && (options.env["NO_COLOR"] ?? "") === "" && options.env["TERM"] !== "dumb";
    options.stdout.on("error", (error) => this.#close(error));
    options.stderr.on("error", () => {
      // There is nowhere left to say it.
    });
  }

  /** OUTPUT_UNWRITABLE: something that was written has not come where it should be. Nobody there to read it is no failure. */
  get failure(): MeshError | undefined {
    return this.#failure;
  }

  get columns(): number {
    return this.#options.stdout.columns ?? 80;
  }

  /** One line of result. */
  print(line: string): void {
    void this.write(`${line}\n`);
  }

  /** One object, on a line of its own. */
  object(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  /** Resolves when stdout takes more. */
  write(data: string | Uint8Array): Promise<void> {
    const { stdout } = this.#options;
    if (this.#broken || data.length === 0 || stdout.write(data)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        for (const event of ["drain", "close", "error"]) stdout.off(event, done);
        resolve();
      };
      for (const event of ["drain", "close", "error"]) stdout.once(event, done);
    });
  }

  /** A word about what happens, for people; not with --quiet or --json. */
  note(text: string): void {
    if (!this.quiet && !this.json) this.warn(text);
  }

  /** A line on stderr, whatever the options. */
  warn(text: string): void {
    this.error(`${this.#options.stderr.isTTY === true ? escapeText(text) : text}\n`);
  }

  /** Raw on stderr. */
  error(data: string | Uint8Array): void {
    this.#options.stderr.write(data);
  }

  get errorTerminal(): boolean {
    return this.#options.stderr.isTTY === true;
  }

  style(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Whatever came from elsewhere, for one cell or line of output. */
  safe(text: string): string {
    return escapeText(text);
  }

  /** Resolves when everything has left. */
  async flush(): Promise<void> {
    const { stdout, stderr } = this.#options;
    await Promise.all(
      [stdout, stderr].map(
        (stream) =>
          new Promise<void>((resolve) => {
            if (stream.destroyed || (stream === stdout && this.#broken)) resolve();
            else stream.write("", () => resolve());
          }),
      ),
    );
  }

  #close(error: Error): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#failure = lossOf(error);
    this.#options.onClosed?.();
  }
}

function lossOf(cause: Error): MeshError | undefined {
  const code = "code" in cause ? cause.code : undefined;
  if (code === "EPIPE" || code === "ECONNRESET") return undefined;
  const why = code === "ENOSPC" ? "there is no room left" : cause.message;
  return new MeshError("OUTPUT_UNWRITABLE", `the output cannot be written: ${why}`, { cause });
}
