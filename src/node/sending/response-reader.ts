import { concat } from "../../core/bytes.ts";
import { MeshError } from "../../core/errors.ts";
import { RecordReader, type Content, type ResponseRecord, type WorkEnd } from "../../wire/record.ts";
import { PayloadStream } from "../../plugin/payload-stream.ts";
import { unfilled } from "../../plugin/unfilled.ts";
import { WorkResponse } from "./response.ts";

/** A value that the plugin yielded whole is gathered up to here; a larger one is handed over as a stream. */
const GATHER = 64 * 1024 * 1024;

export interface ResponseHandlers {
  /** Its `size` counts as consumed when the program takes it. */
  onResponse(response: WorkResponse): void;
  onRunning(): void;
  onEnd(end: WorkEnd): void;
  /** So many bytes are read. */
  consumed(count: number): void;
}

type Open =
  | { readonly type: "stream"; readonly body: PayloadStream }
  | {
      readonly type: "gather";
      readonly content: Content;
      readonly channel: string | undefined;
      readonly parts: Uint8Array[];
      size: number;
    };

/** Turns the bytes of a response stream into responses. */
export class ResponseReader {
  #records = new RecordReader(unfilled);
  readonly #handlers: ResponseHandlers;
  #serial = 0;
  #skipBelow = 1;
  #open: Open | undefined;

  constructor(handlers: ResponseHandlers) {
    this.#handlers = handlers;
  }

  /** The next response has this number; those below `wanted` are left out. */
  startAt(serial: number, wanted: number): void {
    this.#serial = serial - 1;
    this.#skipBelow = wanted;
  }

  /** The stream begins anew, with the first response; those below `wanted` are left out. */
  restart(wanted: number): void {
    this.fail(new MeshError("WORK_INTERRUPTED", "the worker restarted in the middle of this response"));
    this.#records = new RecordReader(unfilled);
    this.startAt(1, wanted);
  }

  push(bytes: Uint8Array): void {
    this.#records.push(bytes, (record, size) => this.#take(record, size));
  }

  /** The stream broke off. */
  fail(error: MeshError): void {
    if (this.#open?.type === "stream") this.#open.body.finish(error);
    this.#open = undefined;
  }

  #take(record: ResponseRecord, size: number): void {
    switch (record.type) {
      case "response":
        this.#serial++;
        if (this.#serial < this.#skipBelow) return this.#handlers.consumed(size);
        return this.#handlers.onResponse(new WorkResponse(this.#serial, record.channel, record.content, record.payload, size));
      case "begin":
        this.#serial++;
        return this.#begin(record, size);
      case "chunk":
        return this.#chunk(record.payload, size);
      case "finish":
        return this.#finish(size);
      case "running":
        this.#handlers.consumed(size);
        return this.#handlers.onRunning();
      case "end":
        this.#handlers.consumed(size);
        if (this.#open !== undefined) this.fail(new MeshError("STREAM_INCOMPLETE", "the work ended in the middle of a response"));
        return this.#handlers.onEnd(record.end);
    }
  }

  #begin(record: Extract<ResponseRecord, { type: "begin" }>, size: number): void {
    if (this.#serial < this.#skipBelow) {
      this.#open = undefined;
      return this.#handlers.consumed(size);
    }
    if (record.whole) {
      this.#handlers.consumed(size);
      this.#open = { type: "gather", content: record.content, channel: record.channel, parts: [], size: 0 };
      return;
    }
    const body = new PayloadStream((count) => this.#handlers.consumed(count));
    this.#open = { type: "stream", body };
    this.#handlers.onResponse(new WorkResponse(this.#serial, record.channel, record.content, body, size));
  }

  #chunk(payload: Uint8Array, size: number): void {
    const open = this.#open;
    if (open === undefined) return this.#handlers.consumed(size);
    if (open.type === "stream") {
      this.#handlers.consumed(size - payload.length);
      return open.body.add(payload);
    }
    this.#handlers.consumed(size);
    open.parts.push(payload);
    open.size += payload.length;
    if (open.size <= GATHER) return;
    const body = new PayloadStream((count) => this.#handlers.consumed(count));
    this.#open = { type: "stream", body };
    this.#handlers.onResponse(new WorkResponse(this.#serial, open.channel, open.content, body, 0));
    for (const part of open.parts) body.add(part);
  }

  #finish(size: number): void {
    const open = this.#open;
    this.#open = undefined;
    this.#handlers.consumed(size);
    if (open?.type === "stream") open.body.finish();
    if (open?.type === "gather")
      this.#handlers.onResponse(new WorkResponse(this.#serial, open.channel, open.content, concat(open.parts), 0));
  }
}
