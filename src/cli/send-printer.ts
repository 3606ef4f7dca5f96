import type { MeshError } from "../core/errors.ts";
import type { Response, Work, WorkEvent } from "../node/api.ts";
import { fromUtf8 } from "../core/bytes.ts";
import { escapeText, unfinished, Utf8Escaper } from "./escape.ts";
import type { Output } from "./output.ts";
import { humanTime } from "./table.ts";

/** How the story of one work is told. */
export interface Printer {
  accepted(event: { readonly id: string; readonly node: string }): void;
  parked(event: Extract<WorkEvent, { type: "parked" }>): void;
  response(work: Work, response: Response): Promise<void>;
  end(work: Work, state: "succeeded" | "failed" | "cancelled", error: MeshError | undefined): Promise<void>;
}

/** One object a line. A streamed response comes in several, each with `part` (from 1) and whether it is the `last`. */
export class JsonPrinter implements Printer {
  readonly #out: Output;

  constructor(out: Output) {
    this.#out = out;
  }

  accepted({ id, node }: { readonly id: string; readonly node: string }): void {
    this.#out.object({ type: "accepted", id, node });
  }

  parked({ id, node, ttl }: Extract<WorkEvent, { type: "parked" }>): void {
    this.#out.object({ type: "parked", id, node, ttl });
  }

  async response({ id, node }: Work, response: Response): Promise<void> {
    const { serial, channel } = response;
    const facts = { type: "response", id, node, serial, ...(channel === undefined ? {} : { channel }) };
    if (response.payload !== undefined) {
      await this.#line({ ...facts, ...content(response.bytes()) });
      return;
    }
    let part = 0;
    let held: Uint8Array = new Uint8Array(0);
    for await (const chunk of response.stream()) {
      const all: Uint8Array = Buffer.concat([held, chunk as Uint8Array]);
      if (all.length < PART) {
        held = all;
        continue;
      }
      // A character is not cut in two, so that each part of a text is a text.
      const cut = all.length - unfinished(all);
      await this.#line({ ...facts, ...content(all.subarray(0, cut)), part: ++part, last: false });
      held = all.subarray(cut);
    }
    await this.#line({ ...facts, ...content(held), ...(part === 0 ? {} : { part: part + 1, last: true }) });
  }

  async end({ id, node }: Work, state: string, error: MeshError | undefined): Promise<void> {
    await this.#line({ type: "end", id, node, state, ...(error === undefined ? {} : { error: error.toJSON() }) });
  }

  #line(value: unknown): Promise<void> {
    return this.#out.write(`${JSON.stringify(value)}\n`);
  }
}

/** Bytes of a streamed response that stand on one line. */
const PART = 256 * 1024;

function content(bytes: Uint8Array): { text: string } | { base64: string } {
  const text = fromUtf8(bytes);
  return text === undefined ? { base64: Buffer.from(bytes).toString("base64") } : { text };
}

/** The bytes of the responses, and nothing else on stdout. */
export class RawPrinter implements Printer {
  protected readonly out: Output;

  constructor(out: Output) {
    this.out = out;
  }

  accepted(_event: { readonly id: string; readonly node: string }): void {}

  parked({ node, ttl }: Extract<WorkEvent, { type: "parked" }>): void {
    this.out.note(`parked at ${node}, ${humanTime(ttl)} left`);
  }

  async response(_work: Work, response: Response): Promise<void> {
    const to = response.channel === "stderr" ? "stderr" : "stdout";
    for await (const bytes of pieces(response)) await this.write(to, bytes);
  }

  async end({ node }: Work, _state: string, error: MeshError | undefined): Promise<void> {
    if (error !== undefined) this.out.warn(`receptor: ${error.code}: ${this.prefix(node)}${error.message}`);
  }

  protected prefix(_node: string): string {
    return "";
  }

  protected async write(to: "stdout" | "stderr", data: string | Uint8Array): Promise<void> {
    if (to === "stdout") await this.out.write(data);
    else this.out.error(data);
  }
}

/** Text for people: a line for each response, harmless on a terminal; several nodes are told apart by a prefix. */
export class TextPrinter extends RawPrinter {
  readonly #prefixed: boolean;
  /** Lines that have begun, by node and channel. */
  readonly #lines = new Map<string, string>();
  readonly #unended = new Set<"stdout" | "stderr">();

  constructor(out: Output, prefixed: boolean) {
    super(out);
    this.#prefixed = prefixed;
  }

  override parked(event: Extract<WorkEvent, { type: "parked" }>): void {
    this.out.note(`${this.prefix(event.node)}parked at ${event.node}, ${humanTime(event.ttl)} left`);
  }

  override async response(work: Work, response: Response): Promise<void> {
    const to = response.channel === "stderr" ? "stderr" : "stdout";
    const escaped = to === "stderr" ? this.out.errorTerminal : this.out.terminal;
    // What has a channel, or is streamed, is a piece of a process's output or of a file: it has its own line ends.
    const piece = response.channel !== undefined || response.payload === undefined;
    if (this.#prefixed) {
      const key = `${work.id} ${response.channel ?? ""}`;
      await this.#prefixedLines(work.node, key, to, response, escaped, !piece);
      return;
    }
    if (!escaped) {
      let last: Uint8Array = new Uint8Array(0);
      for await (const bytes of pieces(response)) {
        last = bytes;
        await this.write(to, bytes);
      }
      if (!piece && last.at(-1) !== 10 && fromUtf8(last) !== undefined) await this.write(to, "\n");
      return;
    }
    const escaper = new Utf8Escaper();
    let ended = false;
    const put = async (text: string): Promise<void> => {
      if (text === "") return;
      ended = text.endsWith("\n");
      await this.write(to, escapeText(text));
      if (ended) this.#unended.delete(to);
      else this.#unended.add(to);
    };
    for await (const bytes of pieces(response)) await put(escaper.push(bytes));
    await put(escaper.end());
    if (!piece && !ended) {
      await this.write(to, "\n");
      this.#unended.delete(to);
    }
  }

  override async end(work: Work, state: string, error: MeshError | undefined): Promise<void> {
    for (const [key, line] of this.#lines) {
      if (!key.startsWith(`${work.id} `)) continue;
      this.#lines.delete(key);
      if (line !== "") await this.write(key.endsWith(" stderr") ? "stderr" : "stdout", `${this.prefix(work.node)}${line}\n`);
    }
    for (const to of this.#unended) await this.write(to, "\n");
    this.#unended.clear();
    await super.end(work, state, error);
  }

  protected override prefix(node: string): string {
    return this.#prefixed ? `${node} | ` : "";
  }

  async #prefixedLines(
    node: string,
    key: string,
    to: "stdout" | "stderr",
    response: Response,
    escaped: boolean,
    whole: boolean,
  ): Promise<void> {
    const escaper = new Utf8Escaper();
    const label = this.out.style("cyan", `${node} | `);
    const put = async (text: string): Promise<void> => {
      const lines = `${this.#lines.get(key) ?? ""}${text}`.split("\n");
      this.#lines.set(key, lines.pop() ?? "");
      for (const line of lines) await this.write(to, `${label}${escaped ? escapeText(line) : line}\n`);
      // A line without an end must not grow for ever.
      const begun = this.#lines.get(key) ?? "";
      if (begun.length < LONGEST_LINE) return;
      this.#lines.set(key, "");
      await this.write(to, `${label}${escaped ? escapeText(begun) : begun}\n`);
    };
    for await (const bytes of pieces(response)) await put(escaper.push(bytes));
    await put(escaper.end());
    if (whole && (this.#lines.get(key) ?? "") !== "") await put("\n");
  }
}

const LONGEST_LINE = 64 * 1024;

async function* pieces(response: Response): AsyncGenerator<Uint8Array> {
  if (response.payload !== undefined) yield response.bytes();
  else for await (const chunk of response.stream()) yield chunk as Uint8Array;
}
