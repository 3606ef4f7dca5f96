import type { Millis } from "./instant.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes that a writer leaves before those that it gives away, for a header of what carries them: a WebSocket's is 14 at most. */
export const WRITE_ROOM = 16;

/** Every limit that a peer or a user can run into, in one place. docs/limits.md lists the same. Bytes and milliseconds. */
export const LIMITS = {
  /** A frame that is no message and no stream chunk. */
  controlFrame: 64 * KiB,
  /** The largest frame of all: a chunk or an inline payload, with its header and metadata. */
  frame: 32 * KiB + 8 * KiB,
  /** A frame from a peer that has not greeted yet. */
  greetingFrame: 4 * KiB,
  /** What a machine that wants to join says before it has a certificate. */
  enrolment: 4 * KiB,
  /** What a member says that wants its certificate renewed. */
  renewal: 8 * KiB,
  /** The list of revoked certificates: about a thousand. */
  denyList: 60 * KiB,
  /** Payload carried in the message itself; larger ones travel as streams. */
  inlinePayload: 16 * KiB,
  /** One record of a response stream; larger responses travel as several. */
  record: 64 * KiB,
  /** Message metadata: directive, headers. */
  metadata: 4 * KiB,
  /** Bytes of one stream chunk. */
  chunk: 32 * KiB,
  /** Unacknowledged bytes of one stream. */
  credit: 256 * KiB,
  /** The same of a stream whose reader keeps up. */
  window: 512 * KiB,
  /** What msgpack may be given to decode. */
  decode: 64 * KiB,
  decodeDepth: 16,
  decodeKeys: 1024,
  hops: 32,
  /** Nodes that one mesh may have. */
  nodes: 10_000,
  linksPerNode: 1_024,
  advertisement: 32 * KiB,
  /** The certificate that a node shows with it. */
  certificate: 4 * KiB,
  /** What a frame says of the session that it is sealed under, certificate included. */
  sessionOffer: 6 * KiB,
  /** Output bytes that wait on one link before what feeds it is paused. */
  linkQueueHigh: 1 * MiB,
  /** Output bytes that wait on one link before stream chunks and messages are dropped (and later sent again). */
  linkQueueMax: 8 * MiB,
  /** Sockets that have not greeted yet, in all and from one address. */
  strangers: 64,
  strangersPerAddress: 8,
  directive: 256,
  /** Durable messages that a destination remembers on disk, each for its time to live and 10 min; where messages are sealed 2 h 35 min. */
  journaled: 1_000_000,
  /** Responses kept after the sender has acknowledged them, per work and in all. */
  retainedPerWork: 1 * MiB,
  retained: 64 * MiB,
} as const;

/** Every default time, in milliseconds. */
export const TIMES = {
  greeting: 5_000,
  connect: 10_000,
  keepalive: 5_000,
  /** A link without bytes for this long is stale. */
  stale: 15_000,
  timeToLive: 300_000,
  retention: 3_600_000,
  /**
   * For so long after its time to live a copy of a message may still come. What lies in the buffers of a process that stands still, or of a slow
   * line, does not age; a node that waits with such a copy then gives it the whole time that it had left.
   */
  late: 600_000,
  redial: { initial: 250, factor: 1.6, maximum: 15_000 },
  /** Good service after which the redial backoff starts anew. */
  redialReset: 60_000,
  /** An event loop that stalled for longer pauses every liveness timer once. */
  stall: 5_000,
} as const satisfies Record<string, Millis | { initial: Millis; factor: number; maximum: Millis }>;
