import type { Response } from "../api.ts";
import type { WorkResponse } from "./response.ts";

/** Where responses come from: the sender's handle on a work. */
export interface ResponseSource {
  /** The next that has come; what it is counts as read. */
  take(): WorkResponse | undefined;
  readonly over: boolean;
  /** Why it failed, once it is over. */
  readonly error: Error | undefined;
  /** Somebody begins to read. */
  enter(): void;
  leave(): void;
  /** To be told of the next response or of the end, in the order of asking. */
  wait(reader: ResponseWaiter): void;
}

/** Somebody who waits for the next response. */
export interface ResponseWaiter {
  /** `false`: it takes nothing, so that the response is the next one's. */
  give(response: WorkResponse): boolean;
  /** Nothing more comes. */
  end(): void;
}

class WaitingIterator implements ResponseWaiter {
  readonly reader: ResponseIterator;
  readonly #resolve: (result: IteratorResult<Response, undefined>) => void;
  readonly #reject: (error: unknown) => void;

  constructor(reader: ResponseIterator, resolve: (result: IteratorResult<Response, undefined>) => void, reject: (error: unknown) => void) {
    this.reader = reader;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** `false`: it has stopped reading. */
  give(response: WorkResponse): boolean {
    if (this.reader.over) {
      this.#resolve(DONE);
      return false;
    }
    this.#resolve(this.reader.turnTo(response));
    return true;
  }

  end(): void {
    const error = this.reader.finish();
    if (error === undefined) this.#resolve(DONE);
    else this.#reject(error);
  }
}

const DONE: IteratorResult<Response, undefined> = { value: undefined, done: true };

/** Reads the responses of a work. Written out, as a generator costs several promises for each response, most of which are there already. */
export class ResponseIterator implements AsyncIterableIterator<Response> {
  readonly #source: ResponseSource;
  #current: WorkResponse | undefined;
  #reading = false;
  #over = false;

  constructor(source: ResponseSource) {
    this.#source = source;
  }

  get over(): boolean {
    return this.#over;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Response, undefined>> {
    if (this.#over) return Promise.resolve(DONE);
    const source = this.#source;
    if (!this.#reading) {
      this.#reading = true;
      source.enter();
    }
    const response = source.take();
    if (response !== undefined) return Promise.resolve(this.turnTo(response));
    if (!source.over) return new Promise((resolve, reject) => source.wait(new WaitingIterator(this, resolve, reject)));
    const error = this.finish();
    return error === undefined ? Promise.resolve(DONE) : Promise.reject(error);
  }

  return(): Promise<IteratorResult<Response, undefined>> {
    this.#stop();
    return Promise.resolve(DONE);
  }

  throw(error: unknown): Promise<IteratorResult<Response, undefined>> {
    this.#stop();
    return Promise.reject(error);
  }

  /** The program turns to the next response: what it did not take of the one before is dropped. */
  turnTo(response: WorkResponse): IteratorResult<Response, undefined> {
    this.#current?.abandon();
    this.#current = response;
    return { value: response, done: false };
  }

  /** Nothing more comes. Returns why, where the work has failed: once. */
  finish(): Error | undefined {
    if (this.#over) return undefined;
    this.#stop();
    return this.#source.error;
  }

  #stop(): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.#reading) return;
    this.#current?.abandon();
    this.#current = undefined;
    this.#source.leave();
  }
}
