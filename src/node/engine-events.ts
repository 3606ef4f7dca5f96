import type { MeshError } from "../core/errors.ts";
import { isShortLivedId } from "../identity/names.ts";
import type { Logger } from "../core/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { MeshEvent } from "./api.ts";
import type { Changes } from "./changes.ts";
import type { Emitter } from "./emitter.ts";
import type { Engine, EngineEvents } from "./engine/engine.ts";
import type { Node } from "./mesh-node.ts";
import { destinationOf } from "./status.ts";
import type { CrowdLog } from "./engine/crowd-log.ts";

export interface EventSources {
  readonly log: Logger;
  readonly events: Emitter<MeshEvent>;
  readonly changes: Changes;
  readonly metrics: Metrics;
  readonly strangers: CrowdLog;
  readonly unopened: CrowdLog;
  readonly fatal: (error: MeshError) => void;
  readonly peerFailed: (url: string, error: MeshError) => void;
  readonly engine: () => Engine;
  readonly node: () => Node;
  readonly persist: (epoch: number) => void;
}

const LOST = { parked: "parkedLost", outbox: "outboxLost", journal: "journalLost" } as const;

/** What the engine tells, as log lines, events for programs, and counts. */
export function engineEvents({
  log,
  events,
  changes,
  metrics,
  strangers,
  unopened,
  fatal,
  peerFailed,
  engine,
  node,
  persist,
}: EventSources): EngineEvents {
  return {
    onNode: (type, id) => {
      // A command that comes and goes is no news.
      const level = engine().routing.advertisement(id)?.ephemeral === true || isShortLivedId(id) ? "debug" : "info";
      log[level]({ event: type, peer: id }, type === "node-up" ? "node up" : "node down");
      events.emit({ type, node: id });
      changes.tell();
    },
    onLink: (type, link, reason) => {
      if (type === "link-up") metrics.counts.linksUp++;
      else metrics.counts.linksDown++;
      const url = link.direction === "out" ? link.url : link.pipe.remote;
      const why = reason === undefined ? {} : { reason: reason.message };
      log[link.ephemeral ? "debug" : "info"]({ event: type, peer: link.peer, url, ...why }, type === "link-up" ? "link up" : "link down");
      events.emit({ type, peer: link.peer, url, ...why });
      changes.tell();
    },
    onRoutes: () => {
      events.emit({ type: "routes-changed" });
      changes.tell();
    },
    onParked: (to, messages, ids) => {
      metrics.counts.messagesParked += messages;
      const destination = destinationOf(engine(), to, () => ids()[0]);
      log.info({ event: "parked", destination, messages }, "messages parked");
      if (!events.isRead) return;
      for (const id of ids()) events.emit({ type: "parked", id, node: engine().id, destination });
    },
    onExpired: (id, to) => {
      metrics.counts.messagesExpired++;
      const destination = destinationOf(engine(), to, () => id);
      log.info({ event: "expired", id, destination }, "message expired");
      events.emit({ type: "expired", id, node: engine().id, destination });
    },
    onEchoReply: (id, reply) => node().onEchoReply(id, reply),
    onFatal: fatal,
    onPeerFailed: peerFailed,
    onCutOff: (link, reason) => {
      metrics.protocolErrors.add(reason.code);
      const facts = { peer: link.peer, remote: link.pipe.remote };
      if (!link.up) metrics.counts.linksRefused++;
      if (!link.up && link.direction === "in") strangers.add(reason.code, facts);
      else log[link.up ? "warn" : "info"]({ event: "cut-off", ...facts, code: reason.code }, "session ended");
    },
    onTurnedAway: () => {
      metrics.counts.linksRefused++;
      strangers.add("NO_ROOM", {});
    },
    onUnopened: (why, source) => {
      metrics.unopened.add(why);
      unopened.add(why, { peer: source });
    },
    onBadBody: (error) => metrics.protocolErrors.add(error.code),
    onWarning: (message, error) => {
      log.warn({ code: error.code, error: error.message }, message);
      events.emit({ type: "warning", message: `${message}: ${error.message}`, data: error.data });
      changes.tell();
    },
    onLost: (kind, count, why) => {
      metrics.counts[LOST[kind]] += count;
      log.error({ event: "records-lost", kind, count, reason: why }, "the disk has lost records");
      events.emit({ type: "warning", message: `the disk has lost ${count} ${kind} records: ${why}`, data: { kind, count } });
      changes.tell();
    },
    onPersist: persist,
  };
}
