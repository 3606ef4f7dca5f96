/** Frames of a node to itself: they take the same way as all others, one tick later. */
export class Loopback {
  readonly #deliver: (frame: Uint8Array, view: DataView) => void;
  #waiting: Uint8Array[] = [];

  constructor(deliver: (frame: Uint8Array, view: DataView) => void) {
    this.#deliver = deliver;
  }

  push(frame: Uint8Array): void {
    this.#waiting.push(frame);
  }

  /** Delivers what waited at the time of the call; what that brings waits for the next. */
  drain(): void {
    if (this.#waiting.length === 0) return;
    const frames = this.#waiting;
    this.#waiting = [];
    for (const frame of frames) this.#deliver(frame, new DataView(frame.buffer, frame.byteOffset, frame.byteLength));
  }
}
