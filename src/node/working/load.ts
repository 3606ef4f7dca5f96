import type { Engine } from "../engine/engine.ts";

/** How often a node may tell the mesh how much work it has. */
const PACE = 500;

/** Advertises how much work there is here, at most twice a second: nobody routes by the last digit of it. */
export class LoadReport {
  readonly #engine: Engine;
  #running = 0;
  #queued = 0;
  #said = { running: 0, queued: 0 };
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  set(running: number, queued: number): void {
    this.#running = running;
    this.#queued = queued;
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#say(), PACE);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #say(): void {
    this.#timer = undefined;
    if (this.#running === this.#said.running && this.#queued === this.#said.queued) return;
    this.#said = { running: this.#running, queued: this.#queued };
    this.#engine.advertise({ load: this.#said });
  }
}
