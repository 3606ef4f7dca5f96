import type { Metrics } from "../telemetry/metrics.ts";
import { LevelStore } from "../storage/level-store.ts";
import type { Store } from "../storage/store.ts";
import { storeWarnings } from "./data-dir.ts";
import type { Engine } from "./engine/engine.ts";
import type { Worker } from "./working/worker.ts";

/** Sets, before each reading of the metrics, what is cheaper to look up than to keep. */
export function measure(
  metrics: Metrics,
  sources: { readonly engine: Engine; readonly worker: Worker; readonly store: Store; readonly startedAt: number },
): void {
  const { engine, worker, store, startedAt } = sources;
  metrics.onCollect(() => {
    const { counts, gauges } = metrics;
    counts.framesIn = engine.counts.framesIn;
    counts.bytesIn = engine.counts.bytesIn;
    counts.framesDropped = engine.counts.droppedFrames;
    counts.framesForwarded = engine.delivery.relay.counts.forwarded;
    counts.bytesForwarded = engine.delivery.relay.counts.forwardedBytes;
    counts.advertisementsRefused = engine.counts.rejectedAdvertisements - engine.counts.forgedAdvertisements;
    counts.advertisementsForged = engine.counts.forgedAdvertisements;
    counts.storeCorruptRecords = store.stats.corruptRecords;
    if (store instanceof LevelStore) {
      const { writes, batches, errors, lostBytes, lostWrites, pendingBytes } = store.stats;
      counts.storeWrites = writes;
      counts.storeBatches = batches;
      counts.storeErrors = errors;
      counts.storeLostBytes = lostBytes;
      counts.storeLostWrites = lostWrites;
      gauges.storePendingBytes = pendingBytes;
    }
    gauges.links = [...engine.links.list()].length;
    gauges.linkQueueBytes = [...engine.links.list()].reduce((sum, { session }) => sum + session.queuedBytes, 0);
    gauges.streams = engine.delivery.origin.size + engine.delivery.destination.size;
    const nodes = [...engine.routing.nodes()];
    gauges.nodesKnown = nodes.length;
    gauges.nodesReachable = nodes.filter(({ node }) => engine.routing.route(node) !== undefined).length;
    gauges.parkedMessages = engine.delivery.park.messages;
    gauges.parkedBytes = engine.delivery.park.bytes;
    gauges.worksRunning = worker.running;
    gauges.worksQueued = worker.queued;
    gauges.storeWritable = store.stats.state === "ok" ? 1 : 0;
    gauges.ready = storeWarnings(store).length === 0 ? 1 : 0;
    gauges.uptimeSeconds = (engine.now() - startedAt) / 1000;
  });
}
