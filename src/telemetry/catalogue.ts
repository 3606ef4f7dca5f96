import type { CountName, GaugeName } from "./counts.ts";

/** Where a metric's values come from. */
export type MetricSource =
  | { readonly from: "count"; readonly field: CountName }
  | { readonly from: "counts"; readonly label: string; readonly fields: Readonly<Record<string, CountName>> }
  | { readonly from: "gauge"; readonly field: GaugeName }
  | { readonly from: "gauges"; readonly label: string; readonly fields: Readonly<Record<string, GaugeName>> }
  | { readonly from: "protocolErrors" | "unopened"; readonly label: string }
  | { readonly from: "eventLoop"; readonly label: string }
  | { readonly from: "info"; readonly labels: readonly string[] }
  | { readonly from: "routeRecompute"; readonly buckets: readonly number[] };

export interface MetricDefinition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly source: MetricSource;
}

const count = (name: string, help: string, field: CountName): MetricDefinition => ({
  name,
  type: "counter",
  help,
  source: { from: "count", field },
});
const counts = (name: string, help: string, label: string, fields: Readonly<Record<string, CountName>>): MetricDefinition => ({
  name,
  type: "counter",
  help,
  source: { from: "counts", label, fields },
});
const gauge = (name: string, help: string, field: GaugeName): MetricDefinition => ({
  name,
  type: "gauge",
  help,
  source: { from: "gauge", field },
});
const gauges = (name: string, help: string, label: string, fields: Readonly<Record<string, GaugeName>>): MetricDefinition => ({
  name,
  type: "gauge",
  help,
  source: { from: "gauges", label, fields },
});

/** Every metric of a node. docs/metrics.md lists the same. */
export const METRICS: readonly MetricDefinition[] = [
  {
    name: "receptor_info",
    type: "gauge",
    help: "1, with the node's id and version",
    source: { from: "info", labels: ["node", "version"] },
  },
  gauge("receptor_uptime_seconds", "Seconds since the node started", "uptimeSeconds"),
  gauge("receptor_ready", "1 while the node is ready, as /readyz says it", "ready"),

  gauge("receptor_links", "Links that are up", "links"),
  counts("receptor_link_events_total", "What happened to links", "event", {
    up: "linksUp",
    down: "linksDown",
    refused: "linksRefused",
    stale: "linksStale",
    replaced: "linksReplaced",
    dial_failed: "dialsFailed",
  }),
  gauge("receptor_link_queue_bytes", "Output that waits on links", "linkQueueBytes"),
  counts("receptor_frames_total", "Frames, by what became of them", "flow", {
    in: "framesIn",
    out: "framesOut",
    forwarded: "framesForwarded",
    dropped: "framesDropped",
  }),
  counts("receptor_frames_bytes_total", "Bytes of those frames", "flow", {
    in: "bytesIn",
    out: "bytesOut",
    forwarded: "bytesForwarded",
    dropped: "bytesDropped",
  }),
  {
    name: "receptor_protocol_errors_total",
    type: "counter",
    help: "What peers sent against the protocol, by error code",
    source: { from: "protocolErrors", label: "code" },
  },
  {
    name: "receptor_unopened_frames_total",
    type: "counter",
    help: "Frames for this node that were not taken, since they are not sealed as they must be",
    source: { from: "unopened", label: "reason" },
  },

  gauges("receptor_nodes", "Other nodes of the mesh", "state", { known: "nodesKnown", reachable: "nodesReachable" }),
  counts("receptor_advertisements_total", "Advertisements, by what became of them", "outcome", {
    accepted: "advertisementsAccepted",
    refused: "advertisementsRefused",
    forged: "advertisementsForged",
    flooded: "advertisementsFlooded",
  }),
  {
    name: "receptor_route_recompute_seconds",
    type: "histogram",
    help: "Time to compute every route anew",
    source: { from: "routeRecompute", buckets: [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1] },
  },

  counts("receptor_messages_total", "Messages, by what became of them at this node", "outcome", {
    sent: "messagesSent",
    accepted: "messagesAccepted",
    denied: "messagesDenied",
    refused: "messagesRefused",
    expired: "messagesExpired",
    cancelled: "messagesCancelled",
    parked: "messagesParked",
    duplicate: "messagesDuplicate",
    resent: "messagesResent",
  }),
  gauge("receptor_parked_messages", "Messages that wait here for a route", "parkedMessages"),
  gauge("receptor_parked_bytes", "Bytes of those messages", "parkedBytes"),
  gauge("receptor_streams", "Streams that are open with one end here", "streams"),
  count("receptor_stream_retransmitted_bytes_total", "Stream bytes that were sent again", "retransmittedBytes"),

  gauges("receptor_works", "Works at this node", "state", { running: "worksRunning", queued: "worksQueued" }),
  counts("receptor_works_ended_total", "Works that ended at this node", "state", {
    succeeded: "worksSucceeded",
    failed: "worksFailed",
    cancelled: "worksCancelled",
  }),

  gauge("receptor_store_writable", "1 while the store takes writes", "storeWritable"),
  gauge("receptor_store_pending_bytes", "Bytes of writes that are not on the disk yet", "storePendingBytes"),
  count("receptor_store_writes_total", "Writes that are on the disk", "storeWrites"),
  count("receptor_store_batches_total", "Batches, each with one fsync, that carried those writes", "storeBatches"),
  count("receptor_store_errors_total", "Writes that failed", "storeErrors"),
  count("receptor_store_corrupt_records_total", "Records that were damaged and left out", "storeCorruptRecords"),
  count("receptor_store_lost_bytes_total", "Bytes of damaged log that were left out at opening", "storeLostBytes"),
  count("receptor_store_lost_writes_total", "Newest writes that were gone at opening", "storeLostWrites"),
  counts("receptor_records_lost_total", "Stored messages that cannot be read, or are not there any more", "kind", {
    parked: "parkedLost",
    outbox: "outboxLost",
    journal: "journalLost",
  }),

  {
    name: "receptor_event_loop_delay_seconds",
    type: "gauge",
    help: "How late the event loop was since the last scrape",
    source: { from: "eventLoop", label: "quantile" },
  },
];
