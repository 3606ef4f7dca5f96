import { EMPTY } from "../core/bytes.ts";
import { LINK_HEADER, writeLinkHeader } from "../wire/frame.ts";

/** The frame that was made last: what a flood sends over a thousand links is in memory once. */
export class SharedFrame {
  #kind = 0;
  #flags = 0;
  #body: Uint8Array | undefined;
  #frame: Uint8Array = EMPTY;

  /** `body` must not change afterwards, nor may the frame. */
  of(kind: number, flags: number, body: Uint8Array): Uint8Array {
    if (body === this.#body && kind === this.#kind && flags === this.#flags) return this.#frame;
    this.#kind = kind;
    this.#flags = flags;
    this.#body = body;
    this.#frame = linkFrame(kind, flags, body);
    return this.#frame;
  }
}

export function linkFrame(kind: number, flags: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LINK_HEADER + body.length);
  writeLinkHeader(new DataView(frame.buffer), 0, frame.length, kind, flags);
  frame.set(body, LINK_HEADER);
  return frame;
}
