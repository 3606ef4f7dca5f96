import type { Readable } from "node:stream";
import type { MeshError } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import type { WorkAbort } from "./abort.ts";

/** The payload of one work, as the node hands it over. */
export interface ByteSource {
  /** The whole payload, where it came with the message. */
  readonly inline?: Uint8Array;
  /** The payload as it arrives. Made at the first look. */
  readonly stream: Readable;
}

/** What a response's bytes are. */
export type Content = "bytes" | "text" | "json";

/** Where one work's responses go. A payload of up to 1 KiB is valid during the call alone. False: full, so wait for `ready()` before the next. */
export interface ResponseSink {
  respond(content: Content, payload: Uint8Array, channel: string | undefined): boolean;
  /** Begins a response whose bytes follow in chunks. `whole`: they are one value of that kind, and no stream. */
  begin(channel: string | undefined, whole?: Content): void;
  chunk(bytes: Uint8Array): boolean;
  finish(): void;
  ready(): Promise<void>;
}

/** One work to be run. */
export interface StartRequest {
  readonly id: MessageId;
  readonly plugin: string;
  readonly action: string;
  readonly sender: NodeId;
  readonly headers: Readonly<Record<string, string>>;
  readonly input: ByteSource;
  readonly sink: ResponseSink;
  /** By which the plugin is told to stop. */
  readonly abort: WorkAbort;
}

/** How a plugin let go of a work. */
export interface Outcome {
  readonly error?: MeshError;
  readonly exitCode?: number;
}
