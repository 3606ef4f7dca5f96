import type { Socket } from "node:net";

const SLAB = 65_536;

/** Copies frames into a slab that leaves in one write at the end of the tick, or when it is full. */
export class Batch {
  readonly #socket: Socket;
  #slab = Buffer.allocUnsafeSlow(SLAB);
  #used = 0;
  #due = false;
  /** The socket takes no more for now. */
  full = false;
  onDrain: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("drain", () => {
      this.full = false;
      this.onDrain();
    });
  }

  add(bytes: Buffer, start: number, end: number): void {
    if (this.#used + end - start > SLAB) this.flush();
    if (end - start > SLAB) {
      this.full = !this.#socket.write(Buffer.from(bytes.subarray(start, end)));
      return;
    }
    bytes.copy(this.#slab, this.#used, start, end);
    this.#used += end - start;
    if (this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#used === 0) return;
    this.full = !this.#socket.write(this.#slab.subarray(0, this.#used));
    this.#slab = Buffer.allocUnsafeSlow(SLAB);
    this.#used = 0;
  }
}
