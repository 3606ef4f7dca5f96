import type { MessageId, NodeId } from "../core/ids.ts";
import type { NodeHash } from "../core/node-hash.ts";
import type { LinkStatus, NodeStatus, OwnPluginStatus, ParkedStatus, QueueEntry, Status, WorkStatus } from "./api.ts";
import type { Engine } from "./engine/engine.ts";
import type { Sender } from "./sending/sender.ts";
import type { Worker } from "./working/worker.ts";

export interface StatusSources {
  readonly engine: Engine;
  readonly sender: Sender;
  readonly worker: Worker;
  readonly version: string;
  readonly startedAt: number;
  readonly listening: readonly string[];
  readonly plugins: readonly OwnPluginStatus[];
  readonly warnings: readonly string[];
}

/** What a node knows, at this moment. */
export function takeStatus(sources: StatusSources): Status {
  const { engine } = sources;
  const now = engine.now();
  return {
    node: engine.id,
    version: sources.version,
    uptime: seconds(now - sources.startedAt),
    listening: sources.listening,
    plugins: sources.plugins,
    nodes: nodes(engine),
    links: links(engine, now),
    edges: engine.routing.edges().map(({ between, cost }) => ({ between, cost })),
    parked: parked(engine),
    work: works(sources, now),
    warnings: sources.warnings,
  };
}

/** The messages that wait here. */
export function takeQueue(engine: Engine): readonly QueueEntry[] {
  const now = engine.now();
  return [...engine.delivery.park.list()].map((entry) => ({
    id: entry.id,
    from: engine.routing.idOf(entry.source.high, entry.source.low) ?? hex(entry.source),
    to: destinationOf(engine, entry.destination, () => entry.id),
    bytes: entry.size,
    ttl: Math.max(0, Math.round(entry.expiresAt - now)),
    why: engine.routing.nextHop(entry.destination.high, entry.destination.low) === undefined ? "no route" : "leaving",
  }));
}

function nodes(engine: Engine): readonly NodeStatus[] {
  const list: NodeStatus[] = [];
  for (const advertisement of engine.routing.nodes()) {
    if (advertisement.node === engine.id) continue;
    const route = engine.routing.route(advertisement.node);
    if (route === undefined) continue;
    list.push({
      id: advertisement.node,
      reachable: true,
      via: route.nextHop,
      cost: route.cost,
      hops: route.hops,
      groups: advertisement.groups,
      ephemeral: advertisement.ephemeral,
      plugins: advertisement.plugins.map(({ name, version, actions }) => ({ name, version, actions })),
      work: { running: advertisement.load.running, queued: advertisement.load.queued },
    });
  }
  return list.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function links(engine: Engine, now: number): readonly LinkStatus[] {
  return [...engine.links.list()].map(({ peer, url, pipe, direction, cost, session }) => ({
    peer,
    url: direction === "out" ? url : pipe.remote,
    direction,
    cost,
    rtt: session.rtt === undefined ? null : Math.round(session.rtt * 1000) / 1000,
    since: seconds(now - session.since),
    secure: pipe.secure,
  }));
}

function parked(engine: Engine): ParkedStatus {
  const { park } = engine.delivery;
  return {
    messages: park.messages,
    bytes: park.bytes,
    destinations: [...park.destinations()].map(({ destination, messages, bytes }) => ({
      node: engine.routing.idOf(destination.high, destination.low) ?? sentTo(engine, destination) ?? hex(destination),
      messages,
      bytes,
    })),
  };
}

function works({ sender, worker }: StatusSources, now: number): readonly WorkStatus[] {
  const sent = [...sender.works()].map((work) => ({
    id: work.id as string,
    directive: work.directive,
    role: "sender" as const,
    peer: work.node as string,
    state: work.state,
    responses: work.responses,
    since: seconds(now - work.startedAt),
  }));
  return [...sent, ...worker.list(now)];
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}

/** Who the message with this id is for: also a node that the mesh has never heard of, where the message was sent from here. */
export function destinationOf(engine: Engine, destination: NodeHash, id: () => MessageId | undefined): string {
  const known = engine.routing.idOf(destination.high, destination.low);
  if (known !== undefined) return known;
  const message = id();
  return (message && engine.delivery.origin.whereabouts(message)) ?? hex(destination);
}

/** The name of a node that the mesh has never heard of, out of what was sent to it from here lately. */
function sentTo(engine: Engine, { high, low }: NodeHash): NodeId | undefined {
  let looked = 0;
  for (const { id, destination } of engine.delivery.park.list()) {
    if (destination.high === high && destination.low === low) return engine.delivery.origin.whereabouts(id);
    if (++looked === LOOKED_THROUGH) return undefined;
  }
  return undefined;
}

/** Parked messages that are looked through for a name. */
const LOOKED_THROUGH = 10_000;

/** A node that this one has not heard the name of. */
function hex({ high, low }: NodeHash): string {
  return `#${high.toString(16).padStart(8, "0")}${low.toString(16).padStart(8, "0")}`;
}
