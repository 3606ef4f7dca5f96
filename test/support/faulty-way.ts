import type { Socket } from "node:net";

/** What happens to the bytes of one direction. */
export interface Way {
  /** Milliseconds that each byte is held. */
  readonly delay: number;
  /** Infinity: as fast as it goes. */
  readonly bytesPerSecond: number;
  /** Nothing comes through, not even an end or a reset, until it is lifted; then all does, as TCP sends again what was lost. */
  readonly hole: boolean;
}

export const CLEAR: Way = { delay: 0, bytesPerSecond: Infinity, hole: false };

/** Bytes in one direction before its source is no longer read: what a network and its buffers would hold. */
const HELD = 256 * 1024;
/** A throttled direction moves this many times a second. */
const BEATS = 50;

type Item = { readonly due: number; readonly what: Buffer | "end" | "reset" };

/** Carries the bytes of one socket to another, in order, with what is wrong with the way between them. */
export class FaultyWay {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #way: () => Way;
  readonly #items: Item[] = [];
  #held = 0;
  /** When a throttled direction may send again. */
  #free = 0;
  #finished = false;
  #blocked = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, way: () => Way) {
    this.#from = from;
    this.#to = to;
    this.#way = way;
    from.on("data", (bytes: Buffer) => this.#read(bytes));
    from.once("end", () => this.#add("end"));
    from.once("close", () => this.#add(from.errored === null && from.readableEnded ? "end" : "reset"));
    to.on("drain", () => {
      this.#blocked = false;
      this.kick();
    });
    to.once("close", () => {
      clearTimeout(this.#timer);
      this.#items.length = 0;
      this.#finished = true;
      from.resume();
    });
  }

  /** Ends the receiving side; what its writer still says is thrown away. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#items.length = 0;
    this.#to.end();
    this.#from.resume();
  }

  /** Sends what may go now, and comes back for the rest. */
  kick(): void {
    clearTimeout(this.#timer);
    for (let item = this.#items[0]; item !== undefined && !this.#finished && !this.#blocked; item = this.#items[0]) {
      const way = this.#way();
      if (way.hole) return;
      const at = Math.max(item.due, this.#free);
      const now = performance.now();
      if (at > now) {
        this.#timer = setTimeout(() => this.kick(), Math.ceil(at - now));
        return;
      }
      this.#send(now, way, item);
    }
  }

  #read(bytes: Buffer): void {
    if (this.#finished) return;
    this.#held += bytes.length;
    if (this.#held > HELD) this.#from.pause();
    this.#add(bytes);
  }

  #add(what: Item["what"]): void {
    if (this.#finished) return;
    this.#items.push({ due: performance.now() + this.#way().delay, what });
    this.kick();
  }

  #send(now: number, way: Way, item: Item): void {
    if (item.what === "end" || item.what === "reset") {
      this.#finished = true;
      this.#items.length = 0;
      if (item.what === "end") this.#to.end();
      else this.#to.resetAndDestroy();
      return;
    }
    const most = way.bytesPerSecond === Infinity ? item.what.length : Math.max(1, Math.floor(way.bytesPerSecond / BEATS));
    const piece = item.what.subarray(0, most);
    if (piece.length < item.what.length) this.#items[0] = { due: item.due, what: item.what.subarray(most) };
    else this.#items.shift();
    this.#free = way.bytesPerSecond === Infinity ? 0 : Math.max(now, this.#free) + (piece.length / way.bytesPerSecond) * 1_000;
    this.#blocked = !this.#to.write(piece);
    this.#held -= piece.length;
    if (this.#held <= HELD / 2) this.#from.resume();
  }
}
