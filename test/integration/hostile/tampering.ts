import { hashNodeId, isSameHash } from "../../../src/core/node-hash.ts";
import type { Pipe, PipeHandlers } from "../../../src/transports/transport.ts";
import type { Transports } from "../../../src/transports/index.ts";
import { FIRST_ROUTED_KIND, OFFSET, word } from "../../../src/wire/frame.ts";
import { FrameParser } from "../../../src/wire/parser.ts";

/** A routed frame of others that a node is about to send on. */
export interface Passing {
  readonly kind: number;
  readonly flags: number;
  /** The neighbour that it would go to. */
  readonly next: string;
  readonly source: string | undefined;
  readonly destination: string | undefined;
  /** A copy, to be kept or changed at will. */
  readonly frame: Uint8Array;
}

/** What goes out in place of a frame. */
export type Deed = (passing: Passing) => readonly Uint8Array[];

/** As an honest relay does. */
export const honest: Deed = ({ frame }) => [frame];

/** What a transit node does behind its own back: its pipes, with the test's hand in them. */
export class Tampering {
  deed: Deed = honest;
  /** Each frame of others, as it came before the deed. */
  readonly passed: Passing[] = [];
  /** All bytes that came and went, once they were decrypted. */
  readonly bytes: Buffer[] = [];
  /** Whose links are cut as soon as they are there. */
  readonly banned = new Set<string>();
  /** Keeps `bytes` and `passed`. */
  records = true;
  /** Frames of others that were not sent on as they were. */
  touched = 0;
  onFrame: (frame: Uint8Array) => void = () => undefined;
  readonly #self: { readonly high: number; readonly low: number };
  readonly #names: readonly string[];
  readonly #pipes = new Map<string, Pipe[]>();

  /** `names`: whom it may hear of. */
  constructor(self: string, names: readonly string[]) {
    this.#self = hashNodeId(self);
    this.#names = names;
  }

  /** The transports of the node, whose pipes pass through here. */
  around(real: Transports): Transports {
    return {
      dial: async (url, options) => this.#wrap(await real.dial(url, options)),
      listen: (url, handlers) => real.listen(url, { ...handlers, onPipe: (pipe) => handlers.onPipe(this.#wrap(pipe)) }),
      replaceTls: (tls) => real.replaceTls(tls),
    };
  }

  /** Puts bytes into the link to a neighbour. */
  say(neighbour: string, ...frames: readonly Uint8Array[]): void {
    const pipe = this.#pipes.get(neighbour)?.at(-1);
    if (pipe === undefined) throw new Error(`no link to ${neighbour}`);
    pipe.write(new Uint8Array(Buffer.concat(frames)));
  }

  /** Ends the link to a neighbour without a word, and lets it have none until it is taken from `banned`. */
  cut(neighbour: string): void {
    this.banned.add(neighbour);
    for (const pipe of this.#pipes.get(neighbour) ?? []) pipe.close(true);
  }

  nameAt(frame: Uint8Array, at: number): string | undefined {
    const hash = { high: word(frame, at), low: word(frame, at + 4) };
    return this.#names.find((name) => isSameHash(hashNodeId(name), hash));
  }

  #wrap(pipe: Pipe): Pipe {
    const next = pipe.certified ?? "";
    const all = this.#pipes.get(next) ?? [];
    this.#pipes.set(next, all);
    all.push(pipe);
    if (this.banned.has(next)) pipe.close(true);
    const inward = new FrameParser((bytes, _view, start, end) => this.onFrame(bytes.slice(start, end)));
    let out: Uint8Array[] = [];
    const outward = new FrameParser((bytes, _view, start, end) => out.push(...this.#leaving(next, bytes.slice(start, end))));
    return {
      remote: pipe.remote,
      remoteHost: pipe.remoteHost,
      secure: pipe.secure,
      certified: pipe.certified,
      certificate: pipe.certificate,
      get pending() {
        return pipe.pending;
      },
      open: (handlers: PipeHandlers) =>
        pipe.open({
          ...handlers,
          onData: (chunk) => {
            this.#record(chunk);
            inward.push(chunk);
            handlers.onData(chunk);
          },
          onDrain: () => handlers.onDrain(),
          onClose: (error) => {
            all.splice(all.indexOf(pipe), 1);
            handlers.onClose(error);
          },
        }),
      write: (bytes, done) => {
        this.#record(bytes);
        out = [];
        outward.push(bytes);
        return pipe.write(new Uint8Array(Buffer.concat(out)), done);
      },
      pause: () => pipe.pause(),
      resume: () => pipe.resume(),
      close: (abort) => pipe.close(abort),
    };
  }

  #record(bytes: Uint8Array): void {
    if (this.records) this.bytes.push(Buffer.from(bytes));
  }

  #leaving(next: string, frame: Uint8Array): readonly Uint8Array[] {
    const kind = frame[OFFSET.kind] ?? 0;
    const own = word(frame, OFFSET.source) === this.#self.high && word(frame, OFFSET.source + 4) === this.#self.low;
    if (kind < FIRST_ROUTED_KIND || own) return [frame];
    const passing = {
      kind,
      flags: frame[OFFSET.flags] ?? 0,
      next,
      source: this.nameAt(frame, OFFSET.source),
      destination: this.nameAt(frame, OFFSET.destination),
      frame,
    };
    if (this.records) this.passed.push({ ...passing, frame: frame.slice() });
    const sent = this.deed(passing);
    if (sent.length !== 1 || sent[0] !== frame) this.touched++;
    return sent;
  }
}
