/**
 * What only grows, as plain numbers: `metrics.counts.framesForwarded++` is all that the hot path pays; they are read when somebody asks.
 * A class, and not a table, so that the engine of JavaScript keeps each at a fixed place.
 */
export class Counts {
  linksUp = 0;
  linksDown = 0;
  /** Sessions that did not finish their greeting, or were not allowed. */
  linksRefused = 0;
  linksStale = 0;
  /** Older sessions of a peer that a newer one replaced. */
  linksReplaced = 0;
  dialsFailed = 0;

  framesIn = 0;
  framesOut = 0;
  framesForwarded = 0;
  framesDropped = 0;
  bytesIn = 0;
  bytesOut = 0;
  bytesForwarded = 0;
  bytesDropped = 0;

  /** By this node, as origin. */
  messagesSent = 0;
  /** By this node, as destination. */
  messagesAccepted = 0;
  messagesDenied = 0;
  messagesRefused = 0;
  messagesExpired = 0;
  messagesCancelled = 0;
  messagesParked = 0;
  /** Arrived again, and were not run again. */
  messagesDuplicate = 0;
  /** Sent again by this node, as origin. */
  messagesResent = 0;
  retransmittedBytes = 0;

  worksSucceeded = 0;
  worksFailed = 0;
  worksCancelled = 0;

  advertisementsAccepted = 0;
  /** Not taken, for whatever reason but the next. */
  advertisementsRefused = 0;
  /** Not said by their origin. */
  advertisementsForged = 0;
  advertisementsFlooded = 0;

  storeWrites = 0;
  storeBatches = 0;
  storeErrors = 0;
  storeCorruptRecords = 0;
  storeLostBytes = 0;
  storeLostWrites = 0;

  /** Records of delivery that cannot be read, or are not there any more. */
  parkedLost = 0;
  outboxLost = 0;
  journalLost = 0;
}

/** What rises and falls; to be set when it changes or in a function given to `metrics.onCollect`. */
export class Gauges {
  links = 0;
  linkQueueBytes = 0;
  streams = 0;
  nodesKnown = 0;
  nodesReachable = 0;
  parkedMessages = 0;
  parkedBytes = 0;
  worksRunning = 0;
  worksQueued = 0;
  storePendingBytes = 0;
  /** 1: the store takes writes. */
  storeWritable = 0;
  /** 1: ready, as `/readyz` says it. */
  ready = 0;
  uptimeSeconds = 0;
}

export type CountName = keyof Counts;
export type GaugeName = keyof Gauges;

/** Counts by a key out of a closed set. */
export class Tally<Key extends string> {
  readonly #counts = new Map<Key, number>();

  add(key: Key, count = 1): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  entries(): Iterable<readonly [Key, number]> {
    return this.#counts;
  }
}
