/**
 * The numbers of the routing rules. Times in milliseconds. Where a number is "a node", a waiting time grows with the mesh up to its
 * maximum: what it bounds is work, and in a small mesh there is little of it.
 */
export const ROUTING = {
  /** R7: an advertisement is said again after 60 s +-10 %, and forgotten where it was not for 190 s. */
  refresh: 60_000,
  refreshJitter: 0.1,
  maxAge: 190_000,
  /** By so much later than its last word must a forgotten node have spoken again to be believed with a smaller number. */
  rebirth: 30_000,
  /** An ephemeral node that cannot be reached is forgotten after. */
  ephemeralGrace: 5_000,
  /** What remains of a node that is gone, and how many such. */
  tombstone: 3_600_000,
  tombstones: 10_000,
  /** Between two searches for what is too old. */
  sweep: 250,
  /** Nodes that age out in one step, and the time to the next step where there are more: the loop must not stall. */
  sweepAtOnce: 256,
  sweepGap: 5,
  /** R8: between two floods of one origin; doubling while the storm lasts, to 5 s in a mesh of 5,000 nodes and more. */
  hold: 100,
  holdMaximum: 5_000,
  holdPerNode: 1,
  /** Floods at the shortest distance before it doubles, and the quiet after which all is forgiven. */
  holdFree: 3,
  holdQuiet: 1_000,
  /** Between two floods of a node, whatever their origins, from 500 nodes on; in whole milliseconds. */
  floodGap: 50,
  floodGapPerNode: 0.1,
  /** R8: unasked advertisements that one neighbour may send, a second and at once. */
  floodRate: 200,
  floodBurst: 1_000,
  /** What was over is asked for again: so many at a time, so often. */
  pullSize: 256,
  pullEvery: 100,
  pullRate: 20,
  /** Answers to what is older than ours, a second and at once, to one neighbour. */
  answerRate: 10,
  answerBurst: 20,
  /** Forged advertisements for which a link is not cut yet: at once, and a second. */
  forgedBurst: 16,
  forgedRate: 1 / 60,
  /** R9: from a change to the computation, and to the next ones, from 1,000 nodes on; under a storm, from 10,000 on. */
  spfFirst: 50,
  spfFirstPerNode: 0.05,
  spfNext: 200,
  spfNextPerNode: 0.2,
  spfMaximum: 5_000,
  spfMaximumPerNode: 0.5,
  spfQuiet: 1_000,
  /** R6: an exchange without progress for this long has failed. */
  exchange: 10_000,
  /** Bytes sent in an exchange before the peer must have taken them in. */
  exchangeWindow: 128 * 1024,
  /** R10: a next hop that still works is left only for a cost of at most this part of its own. */
  better: 0.9,
  /** Next hops for which R10 is looked into at one computation: each costs another run of Dijkstra. */
  betterLimit: 8,
  /** Nodes that all these runs together may walk over, a second and at once: under a storm the table just follows the map. */
  betterRate: 1_000,
  betterNodes: 20_000,
  /** R12: for so long what is not answered is sent round its next hop, and to so many nodes at once. */
  detour: 60_000,
  detours: 10_000,
  /** R4 */
  recentBoots: 16,
  duplicateWindow: 30_000,
  duplicateRefutations: 2,
  /** Uptimes nearer than this are taken as equal, and the boot id decides. */
  duplicateMargin: 250,
  /** R11 */
  penalty: 1_000,
  penaltyHalfLife: 60_000,
  suppress: 3_000,
  reuse: 1_500,
  /** From here it takes 5 min down to `reuse`. */
  penaltyMaximum: 48_000,
  dampedPeers: 1_024,
  /** A change of nothing but the load is said no sooner than this after the last advertisement. */
  load: 5_000,
} as const;

/** `maximum`, or less in a mesh so small that `perNode` times its nodes is less. */
export function scaled(maximum: number, perNode: number, nodes: number): number {
  return Math.min(maximum, perNode * nodes);
}
