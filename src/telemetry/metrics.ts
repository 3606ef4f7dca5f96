import type { ErrorCode } from "../core/errors.ts";
import { Counts, Gauges, Tally } from "./counts.ts";
import type { Exposition, MetricsOptions, RenderedMetrics } from "./exposition.ts";

export type { MetricsOptions, RenderedMetrics } from "./exposition.ts";

/**
 * What one node counts. Counting costs an addition; the metrics library is loaded with `enable`, and works only while somebody reads.
 *
 * @example
 * metrics.counts.framesIn++;
 * metrics.onCollect(() => { metrics.gauges.links = links.size; });
 */
export class Metrics {
  readonly counts = new Counts();
  readonly gauges = new Gauges();
  readonly protocolErrors = new Tally<ErrorCode>();
  /** Frames for this node that were not taken, by why. */
  readonly unopened = new Tally<string>();
  readonly #options: MetricsOptions;
  readonly #hooks: (() => void)[] = [];
  #exposition: Promise<Exposition> | undefined;
  #observe: ((seconds: number) => void) | undefined;
  #closed = false;

  constructor(options: MetricsOptions) {
    this.#options = options;
  }

  /** Runs `hook` before each reading, to set what is cheaper to look up than to keep. */
  onCollect(hook: () => void): void {
    this.#hooks.push(hook);
  }

  /** Takes one duration of computing the routes; kept only once `enable` has resolved. */
  routesComputed(seconds: number): void {
    this.#observe?.(seconds);
  }

  /** Loads what `render` needs, and begins to measure the event loop. Calling twice is harmless. */
  async enable(): Promise<void> {
    await this.#load();
  }

  /** Every metric in the Prometheus text format. */
  async render(): Promise<RenderedMetrics> {
    const exposition = await this.#load();
    for (const hook of this.#hooks) hook();
    return exposition.render();
  }

  /** Stops measuring the event loop. Closing twice is harmless. */
  async close(): Promise<void> {
    this.#closed = true;
    (await this.#exposition)?.close();
  }

  #load(): Promise<Exposition> {
    this.#exposition ??= this.#create();
    return this.#exposition;
  }

  async #create(): Promise<Exposition> {
    const { createExposition } = await import("./exposition.ts");
    const exposition = await createExposition(this, this.#options);
    this.#observe = (seconds) => exposition.observeRoutes(seconds);
    if (this.#closed) exposition.close();
    return exposition;
  }
}
