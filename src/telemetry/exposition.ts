import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { METRICS, type MetricDefinition, type MetricSource } from "./catalogue.ts";
import type { Counts, Gauges, Tally } from "./counts.ts";

export interface MetricsOptions {
  readonly node: string;
  readonly version: string;
  /** Also the metrics of the process (`process_*`, `nodejs_*`); for one node a process at most. Default false. */
  readonly process?: boolean;
}

export interface RenderedMetrics {
  readonly contentType: string;
  readonly text: string;
}

export interface Exposition {
  render(): Promise<RenderedMetrics>;
  observeRoutes(seconds: number): void;
  close(): void;
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Counted {
  readonly counts: Counts;
  readonly gauges: Gauges;
  readonly protocolErrors: Tally<string>;
  readonly unopened: Tally<string>;
}

/** A registry of its own for one node, whose metrics read `counted` when they are asked. */
export async function createExposition(counted: Counted, options: MetricsOptions): Promise<Exposition> {
  const registry = new Registry();
  const loop = loopDelay();
  let routes: Histogram | undefined;
  for (const definition of METRICS) {
    const { name, help, source } = definition;
    if (source.from === "routeRecompute") {
      routes = new Histogram({ name, help, buckets: [...source.buckets], registers: [registry] });
    } else {
      register(registry, definition, () => (source.from === "eventLoop" ? loop.samples(source.label) : samples(counted, options, source)));
    }
  }
  if (options.process === true) collectDefaultMetrics({ register: registry });
  return {
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    observeRoutes: (seconds) => routes?.observe(seconds),
    close: () => {
      loop.close();
      registry.clear();
    },
  };
}

type Collected = Exclude<MetricSource, { readonly from: "routeRecompute" | "eventLoop" }>;

function samples({ counts, gauges, protocolErrors, unopened }: Counted, options: MetricsOptions, source: Collected): readonly Sample[] {
  switch (source.from) {
    case "count":
      return [{ labels: {}, value: counts[source.field] }];
    case "gauge":
      return [{ labels: {}, value: gauges[source.field] }];
    case "counts":
      return Object.entries(source.fields).map(([value, field]) => ({ labels: { [source.label]: value }, value: counts[field] }));
    case "gauges":
      return Object.entries(source.fields).map(([value, field]) => ({ labels: { [source.label]: value }, value: gauges[field] }));
    case "protocolErrors":
    case "unopened": {
      const tally = source.from === "unopened" ? unopened : protocolErrors;
      return Array.from(tally.entries(), ([name, value]) => ({ labels: { [source.label]: name }, value }));
    }
    case "info":
      return [{ labels: { node: options.node, version: options.version }, value: 1 }];
  }
}

/** The label names of a metric. */
export function labelNames({ source }: MetricDefinition): readonly string[] {
  if ("labels" in source) return source.labels;
  return "label" in source ? [source.label] : [];
}

function register(registry: Registry, definition: MetricDefinition, read: () => readonly Sample[]): void {
  // Without registers of its own a metric would enter the library's global registry.
  const shared = { name: definition.name, help: definition.help, labelNames: [...labelNames(definition)], registers: [] };
  const metric =
    definition.type === "counter"
      ? new Counter({
          ...shared,
          collect() {
            this.reset();
            for (const { labels, value } of read()) this.inc(labels, value);
          },
        })
      : new Gauge({
          ...shared,
          collect() {
            this.reset();
            for (const { labels, value } of read()) this.set(labels, value);
          },
        });
  registry.registerMetric(metric);
}

const NANO = 1e-9;

/** Delays since the last reading. A delay is what the timer took beyond its 20 ms. */
function loopDelay(): { samples(label: string): readonly Sample[]; close(): void } {
  const resolution = 20;
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds * NANO - resolution / 1000);
  return {
    samples(label) {
      const empty = histogram.count === 0;
      const at = (quantile: string, nanoseconds: number): Sample => ({
        labels: { [label]: quantile },
        value: empty ? 0 : seconds(nanoseconds),
      });
      const found = [at("0.5", histogram.percentile(50)), at("0.99", histogram.percentile(99)), at("1", histogram.max)];
      histogram.reset();
      return found;
    },
    close: () => void histogram.disable(),
  };
}
