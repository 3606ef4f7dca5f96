import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { METRICS } from "../../../src/telemetry/catalogue.ts";
import { Counts, Gauges } from "../../../src/telemetry/counts.ts";
import { labelNames } from "../../../src/telemetry/exposition.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";

async function rendered(fill: (metrics: Metrics) => void): Promise<string[]> {
  const metrics = new Metrics({ node: "a", version: "1.2.3" });
  await metrics.enable();
  fill(metrics);
  const { text } = await metrics.render();
  await metrics.close();
  return text.split("\n");
}

describe("METRICS", () => {
  test("docs/metrics.md lists the same, with type, labels and values, both ways", async () => {
    const page = await readFile(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
    const documented = [...page.matchAll(/^\| `(receptor_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$/gm)].map(
      ([, name, type, labels = "", help]) => ({
        name,
        type,
        labels: [...labels.matchAll(/`(\w+)`/g)].map((match) => match[1]),
        values: /: ([a-z_ ]+)$/.exec(labels)?.[1]?.split(" ") ?? [],
        help,
      }),
    );
    const real = METRICS.map((metric) => ({
      name: metric.name,
      type: metric.type,
      labels: labelNames(metric),
      values: "fields" in metric.source ? Object.keys(metric.source.fields) : [],
      help: metric.help,
    }));
    expect(documented).toEqual(real);
  });

  test("names are receptor_<what>_<unit>, with _total for counters and only for those", () => {
    for (const { name, type } of METRICS) {
      expect(name).toMatch(/^receptor_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith("_total")).toBe(type === "counter");
    }
    expect(new Set(METRICS.map((metric) => metric.name)).size).toBe(METRICS.length);
  });

  test("every count and gauge is shown exactly once", () => {
    const shown = METRICS.flatMap(({ source }) =>
      "field" in source ? [source.field] : "fields" in source ? Object.values(source.fields) : [],
    );
    expect(shown.toSorted()).toEqual([...Object.keys(new Counts()), ...Object.keys(new Gauges())].toSorted());
  });
});

describe("Metrics.render", () => {
  test("shows the counts as they are when it is called", async () => {
    const lines = await rendered((metrics) => {
      metrics.counts.framesForwarded += 7;
      metrics.counts.bytesIn += 2 ** 40;
      metrics.counts.retransmittedBytes = 12;
      metrics.protocolErrors.add("TOO_LARGE");
      metrics.protocolErrors.add("TOO_LARGE", 2);
      metrics.gauges.storeWritable = 1;
    });
    expect(lines).toEqual(
      expect.arrayContaining([
        'receptor_info{node="a",version="1.2.3"} 1',
        'receptor_frames_total{flow="forwarded"} 7',
        'receptor_frames_total{flow="in"} 0',
        'receptor_frames_bytes_total{flow="in"} 1099511627776',
        "receptor_stream_retransmitted_bytes_total 12",
        'receptor_protocol_errors_total{code="TOO_LARGE"} 3',
        "receptor_store_writable 1",
        "# TYPE receptor_frames_total counter",
      ]),
    );
  });

  test("counters do not add up from one reading to the next", async () => {
    const metrics = new Metrics({ node: "a", version: "1" });
    metrics.counts.storeWrites = 3;
    await metrics.render();
    metrics.counts.storeWrites++;
    expect((await metrics.render()).text).toContain("receptor_store_writes_total 4\n");
    await metrics.close();
  });

  test("asks the hooks before each reading", async () => {
    let links = 0;
    const metrics = new Metrics({ node: "a", version: "1" });
    metrics.onCollect(() => {
      metrics.gauges.links = ++links;
    });
    expect((await metrics.render()).text).toContain("receptor_links 1\n");
    expect((await metrics.render()).text).toContain("receptor_links 2\n");
    await metrics.close();
  });

  test("puts route computations into buckets", async () => {
    const lines = await rendered((metrics) => {
      metrics.routesComputed(0.002);
      metrics.routesComputed(0.5);
    });
    expect(lines).toEqual(
      expect.arrayContaining([
        'receptor_route_recompute_seconds_bucket{le="0.001"} 0',
        'receptor_route_recompute_seconds_bucket{le="0.003"} 1',
        'receptor_route_recompute_seconds_bucket{le="+Inf"} 2',
        "receptor_route_recompute_seconds_count 2",
      ]),
    );
  });

  test("shows the event loop's delay in seconds", async () => {
    const lines = await rendered(() => undefined);
    const delays = lines.filter((line) => line.startsWith("receptor_event_loop_delay_seconds{"));
    expect(delays).toHaveLength(3);
    for (const delay of delays) {
      const seconds = Number(delay.split(" ")[1]);
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(seconds).toBeLessThan(60);
    }
  });

  test("keeps two nodes of one process apart", async () => {
    const a = new Metrics({ node: "a", version: "1" });
    const b = new Metrics({ node: "b", version: "1" });
    a.counts.linksUp = 1;
    b.counts.linksUp = 2;
    const [textA, textB] = [(await a.render()).text, (await b.render()).text];
    expect(textA).toContain('receptor_link_events_total{event="up"} 1\n');
    expect(textB).toContain('receptor_link_events_total{event="up"} 2\n');
    await Promise.all([a.close(), b.close(), b.close()]);
  });

  test("gives the process's own metrics where it is told to", async () => {
    const metrics = new Metrics({ node: "a", version: "1", process: true });
    expect((await metrics.render()).text).toContain("process_cpu_seconds_total");
    await metrics.close();
  });
});
