import type { Readable } from "node:stream";
import type { Content } from "./contract.ts";
import type { ChannelResponse } from "./definition.ts";

/** A response that is bytes already, whatever they stand for: one of a plugin that runs in another process. */
export class Encoded implements ChannelResponse {
  readonly payload: Uint8Array | Readable;
  /** Empty: none. */
  readonly channel: string;
  /** Undefined: a stream of bytes. */
  readonly content: Content | undefined;

  constructor(content: Content | undefined, channel: string | undefined, payload: Uint8Array | Readable) {
    this.content = content;
    this.channel = channel ?? "";
    this.payload = payload;
  }
}
