import { randomBytes, type X509Certificate } from "node:crypto";
import type { NodeConfig } from "../config/node-config.ts";
import { type NodeOptions, resolveOptions } from "../config/options.ts";
import { MeshError, toMeshError } from "../core/errors.ts";
import { type NodeId, nodeId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import { ResourceStack } from "../core/resources.ts";
import { readCertificate } from "../identity/certificate.ts";
import { ownerOf, shortLivedId } from "../identity/names.ts";
import type { PluginDefinition } from "../plugin/definition.ts";
import { PluginHost } from "../plugin/host.ts";
import { removeHolder, writeHolder } from "../storage/holder.ts";
import type { Store } from "../storage/store.ts";
import { adoptLogger, createLogger } from "../telemetry/logger.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { createTransports, type Transports } from "../transports/index.ts";
import { isLoopback, parseMeshUrl } from "../transports/url.ts";
import type { PluginAdvertisement } from "../wire/advertisement.ts";
import { WorkMachine } from "../work/machine.ts";
import { accessPolicy, checkAccess, isOpen } from "./membership/access.ts";
import type { MeshEvent, MeshNode } from "./api.ts";
import { askSigners } from "./membership/ask-signers.ts";
import { Certificates } from "./membership/certificates.ts";
import { Changes } from "./changes.ts";
import { Emitter } from "./emitter.ts";
import type { Denials, DenialsParts } from "./membership/denials.ts";
import { hasLost, lossWarnings, openStore, prepareDataDir, storeWarnings } from "./data-dir.ts";
import { Engine } from "./engine/engine.ts";
import { engineEvents } from "./engine-events.ts";
import { beginLife, EpochKeeper, type Life } from "./life.ts";
import { checkListener, openListener } from "./listeners.ts";
import { LoadReport } from "./working/load.ts";
import { measure } from "./measure.ts";
import { Node } from "./mesh-node.ts";
import { meshPlugin } from "./working/mesh-plugin.ts";
import { resolveNodeId } from "./node-id.ts";
import { NodePlugins } from "./working/node-plugins.ts";
import { realEnvironment } from "./engine/real-environment.ts";
import { openSecurity } from "./membership/open-security.ts";
import { checkOwnNames, checkPeer, plainWarnings, type Security } from "./membership/security.ts";
import { Sender } from "./sending/sender.ts";
import { CrowdLog, STRANGERS, UNOPENED } from "./engine/crowd-log.ts";
import { VERSION } from "./version.ts";
import { Worker } from "./working/worker.ts";

/** What only the product's own commands and tests ask for. */
export interface CreateExtra {
  /** Where to log; else as the options say. */
  readonly log?: Logger;
  /** The node must leave the mesh, and has closed itself: another live node has its id. */
  readonly onFatal?: (error: MeshError) => void;
  /** Lives for one command: parks nothing, carries nothing, is gone when its link is. */
  readonly ephemeral?: boolean;
  /** A configured peer could not be reached, or refused. */
  readonly onPeerFailed?: (url: string, error: MeshError) => void;
  /** Plugins of the program itself. */
  readonly definitions?: readonly PluginDefinition[];
  /** In place of the real ones. */
  readonly transports?: Transports;
  /** Asked again at each `reload()`. */
  readonly reconfigure?: () => Promise<NodeConfig>;
}

/**
 * Starts a node; resolves when it listens. Rejects with CONFIG_INVALID, INSECURE_LISTEN, LISTEN_FAILED, DATA_DIR_IN_USE, STORE_FULL,
 * STORE_CORRUPT, CERTIFICATE_INVALID; what was opened until then is closed.
 */
export async function createNode(options: NodeOptions = {}, extra: CreateExtra = {}): Promise<MeshNode> {
  const resources = new ResourceStack();
  try {
    return await build(options, extra, resources);
  } catch (error) {
    await resources.close().catch(() => undefined);
    throw toMeshError(error);
  }
}

async function build(options: NodeOptions, extra: CreateExtra, resources: ResourceStack): Promise<MeshNode> {
  const config = await resolveOptions(options, (text) => void parseMeshUrl(text));
  const secure = config.tls.cert !== undefined;
  const bare = secure ? "tls" : "tcp";
  const urls = config.listen.map((text) => parseMeshUrl(text, bare));
  for (const url of urls) checkListener(url, config.insecure);
  const log = extra.log ?? adoptLogger(options.log) ?? createLogger(config.log);
  const security = await openSecurity(config, log);
  const peers = config.peers.map((text) => parseMeshUrl(text, bare));
  for (const url of peers) checkPeer(url, security, config.insecure);

  const ephemeral = extra.ephemeral ?? false;
  const dataDir = await prepareDataDir(config.dataDir, resources);
  const store = await openStore(dataDir, ephemeral, log, resources);
  const id = config.id === undefined && ephemeral ? commandId(security) : await resolveNodeId(config.id ?? security.node, dataDir);
  checkOwnNames(security, config, id, ephemeral);
  const forgetful = await hasLost(store);
  const life = await new Promise<Life>((resolve, reject) =>
    beginLife(
      store,
      randomBytes,
      (error, begun) => (begun === undefined ? reject(error ?? new MeshError("STORE_CORRUPT", "no life")) : resolve(begun)),
      forgetful,
    ),
  );
  if (config.dataDir !== undefined) {
    await writeHolder(dataDir, { pid: process.pid, node: id });
    resources.defer(() => removeHolder(dataDir));
  }

  // A command has an id of its own, and so a key of its own.
  const isRevoked = (certificate: X509Certificate): boolean => denials?.refuses(certificate) !== undefined;
  const { signing } = security;
  const proofs =
    signing && (await (await import("./membership/proofs.ts")).openProofs(signing, ephemeral ? undefined : config.dataDir, isRevoked));
  const transports = extra.transports ?? createTransports({ tls: security.tls, ws: { headers: config.websocket.headers } });
  const events = new Emitter<MeshEvent>();
  const metrics = new Metrics({ node: id, version: VERSION });
  const warnings = new Map<string, string>();
  for (const warning of plainWarnings(security, urls)) warnings.set(warning, warning);
  const troubles = new Map<string, string>();
  if (config.insecure && urls.some((url) => !isLoopback(url.host) && (url.scheme === "tcp" || url.scheme === "ws"))) {
    warnings.set("insecure", "this node listens beyond loopback without certificates: whoever reaches it may run work here");
  }

  let advertised: readonly PluginAdvertisement[] = [];
  const advertise = (): void => engine.advertise({ plugins: [...advertised, ...certificates.advertised] });
  const certificates = new Certificates(
    { config, security, id, log },
    {
      use: (next) => {
        transports.replaceTls(next.tls);
        if (next.signing !== undefined) proofs?.signatory.replace(next.signing);
      },
      ask: (renewal, signal) => askSigners(node, renewal, { signal, wait: 0, sleep: () => Promise.resolve() }),
      onChange: advertise,
      random: Math.random,
      wallClock: Date.now,
    },
  );
  resources.defer(() => certificates.close());
  const denials = await denialsOf(config, security, log, {
    links: () => engine.links.list(),
    close: (link, reason) => engine.links.close(link.id, reason),
    forget: (revoked) => {
      engine.step({ type: "forget", node: revoked });
      engine.judgeAnew();
    },
    signs: () => certificates.advertised.length > 0,
    wallClock: Date.now,
  });
  resources.defer(() => denials?.close());

  const fatal = (error: MeshError): void => {
    if (extra.onFatal !== undefined) return extra.onFatal(error);
    log.error({ code: error.code, error: error.message }, "the node leaves the mesh");
    events.emit({ type: "warning", message: error.message, data: error.data });
    void node.close();
  };
  const env = realEnvironment(transports, store);
  const epochs = new EpochKeeper(
    store,
    life,
    (delay, task) => env.at(env.now() + delay, task),
    (error) => log.error({ code: error.code, error: error.message }, "the epoch could not be stored"),
  );
  resources.defer(() => epochs.close());
  let access = accessPolicy(config, id, security);
  const changes = new Changes(() => env.now());
  const worker: Worker = new Worker(() => engine, {
    machine: new WorkMachine({ node: id, maxConcurrent: config.work.maxConcurrent, queue: config.work.queue }),
    host: new PluginHost({ node: id, log, onEnded: (work, outcome) => worker.ended(work, outcome) }),
    admit: (from, directive) => {
      if (isOpen(access)) return;
      const groups = new Set([from, ownerOf(from)].flatMap((name) => engine.routing.advertisement(nodeId(name))?.groups ?? []));
      try {
        checkAccess(access, { sender: from, groups: [...groups], directive });
      } catch (error) {
        metrics.counts.messagesDenied++;
        log.debug({ event: "work-denied", directive, peer: from, error: toMeshError(error).message }, "work denied");
        throw error;
      }
    },
    mayFollow: (asker, from) => security.node === undefined || (asker !== undefined && [ownerOf(from), id].includes(ownerOf(asker))),
    onLoad: (running, queued) => load.set(running, queued),
    onAccepted: (work, directive, peer) => {
      metrics.counts.messagesAccepted++;
      log.debug({ event: "work-accepted", id: work, directive, peer }, "work accepted");
      if (events.isRead) events.emit({ type: "work-accepted", id: work, directive, peer, state: "queued" });
    },
    onEnded: (work, directive, peer, state) => {
      if (state === "succeeded") metrics.counts.worksSucceeded++;
      else if (state === "cancelled") metrics.counts.worksCancelled++;
      else metrics.counts.worksFailed++;
      log.debug({ event: "work-ended", id: work, directive, peer, state }, "work ended");
      if (events.isRead) events.emit({ type: "work-ended", id: work, directive, peer, state });
    },
    onWarning: (message, error) => log.warn({ code: error.code, ...error.data }, message),
  });
  const strangers = new CrowdLog(log, STRANGERS);
  resources.defer(() => strangers.close());
  const unopened = new CrowdLog(log, UNOPENED);
  resources.defer(() => unopened.close());
  const engine: Engine = new Engine(
    {
      id,
      boot: life.boot,
      epoch: life.epoch,
      recentBoots: life.recentBoots,
      version: VERSION,
      groups: config.groups,
      leaf: config.leaf,
      ephemeral,
      store: { maxMessages: config.store.maxMessages, maxBytes: config.store.maxBytes },
      retention: config.work.retention,
      transit: config.transit.bytesPerSecond,
      signatures: proofs?.signatures,
      sealing: proofs && { mode: config.e2e, ciphers: proofs.ciphers, sealingKey: proofs.sealingKey },
    },
    env,
    {
      events: engineEvents({
        log,
        events,
        changes,
        metrics,
        strangers,
        unopened,
        fatal,
        peerFailed: (url, error) => {
          extra.onPeerFailed?.(url, error);
          // Dialling goes on for ever: the same trouble is said once.
          if (troubles.get(url) === error.message) return log.debug({ url, code: error.code, error: error.message }, "peer not reached");
          troubles.set(url, error.message);
          log.warn({ event: "peer-failed", url, code: error.code, error: error.message }, "peer not reached");
          changes.tell();
        },
        engine: () => engine,
        node: () => node,
        persist: (epoch) => epochs.raise(epoch),
      }),
      origin: lateOrigin(() => sender),
      destination: worker.events(),
      facts: () => ({ version: VERSION, running: worker.running, queued: worker.queued }),
      guard: denials && {
        refuse: (link) => denials.refuses(link.pipe.certificate),
        onUp: (link) => denials.linkUp(link),
        onFrame: (link, body) => denials.frame(link, body),
      },
    },
  );
  const load = new LoadReport(engine);
  const sender = new Sender(engine, config.store.ttl);
  resources.defer(() => load.close());
  resources.defer(() => engine.stop());
  measure(metrics, { engine, worker, store, startedAt: engine.now() });

  const plugins = await NodePlugins.open({
    config,
    node: id,
    dataDir,
    log,
    discover: !ephemeral,
    builtin: meshPlugin({
      node: () => node,
      engine: () => engine,
      version: VERSION,
      dataDir,
      sign: (question) => certificates.sign(question),
    }),
    definitions: extra.definitions ?? [],
    host: worker.host,
    onChange: (facts, found) => {
      worker.setPlugins(facts);
      advertised = found;
      advertise();
      changes.tell();
    },
    onProblems: (problems) => {
      for (const key of [...warnings.keys()]) if (key.startsWith("plugin ")) warnings.delete(key);
      for (const problem of problems) warnings.set(`plugin ${problem}`, problem);
    },
  });
  resources.defer(() => plugins.close());

  const node: Node = new Node({
    engine,
    sender,
    worker,
    events,
    changes,
    log,
    version: VERSION,
    warnings: () => [
      ...warnings.values(),
      ...certificates.warnings,
      ...(denials?.warnings ?? []),
      ...storeWarnings(store),
      ...lossWarnings(store, metrics.counts),
    ],
    plugins: () => plugins.list(),
    secureByDefault: secure,
    ttl: config.store.ttl,
    openListener: (url) =>
      openListener(url, engine, transports, resources, {
        insecure: config.insecure,
        log,
        onRefused: (error, remote) => {
          metrics.counts.linksRefused++;
          metrics.protocolErrors.add(error.code);
          strangers.add(error.code, { remote, error: error.message });
        },
        onTrouble: (at, error) =>
          error === undefined ? warnings.delete(`accept ${at}`) : warnings.set(`accept ${at}`, `${at}: ${error.message}`),
      }),
    reload: async () => {
      const next = (await extra.reconfigure?.()) ?? config;
      await certificates.reload(next);
      access = accessPolicy(next, id, security);
      await plugins.reload(next);
    },
    close: async (drain) => {
      await drainWork(worker, engine, changes, drain);
      await resources.close();
    },
  });

  await new Promise<void>((resolve, reject) => engine.restore((error) => (error === undefined ? resolve() : reject(error))));
  await denials?.open();
  for (const url of config.listen) await node.listen(url);
  engine.delivery.relay.announce(engine.now());
  for (const peer of config.peers) node.peer(peer);
  if (!ephemeral) await certificates.start();
  if (config.http !== undefined) await serveHttp(config.http, { node, metrics, log, resources, store });
  resources.defer(() => metrics.close());
  return node;
}

/** For a node that goes by the certificate of a mesh in its data folder. */
async function denialsOf(config: NodeConfig, security: Security, log: Logger, parts: DenialsParts): Promise<Denials | undefined> {
  const { dataDir } = config;
  const { own, member, tls } = security;
  if (!member || dataDir === undefined || own === undefined || tls.ca === undefined) return undefined;
  const { Denials } = await import("./membership/denials.ts");
  return new Denials({ dataDir, authority: readCertificate(tls.ca, "the authority"), own, log }, parts);
}

/** The name of one command: with a certificate it begins with the name in that. */
function commandId({ node }: Security): NodeId {
  const random = randomBytes(6).toString("hex");
  return nodeId(node === undefined ? `cli-${random}` : shortLivedId(node, random));
}

/** The engine and the sender know each other; the sender comes second. */
function lateOrigin(sender: () => Sender): ReturnType<Sender["events"]> {
  let events: ReturnType<Sender["events"]> | undefined;
  const get = (): ReturnType<Sender["events"]> => (events ??= sender().events());
  return {
    onRestored: (id, node, directive) => get().onRestored(id, node, directive),
    onParked: (id, node, ttl) => get().onParked(id, node, ttl),
    onAccepted: (id, node) => get().onAccepted(id, node),
    onResponseBytes: (id, bytes) => get().onResponseBytes(id, bytes),
    onResponseEnd: (id) => get().onResponseEnd(id),
    onInputWritable: (id) => get().onInputWritable(id),
    onFailed: (id, error) => get().onFailed(id, error),
    onRerun: (id) => get().onRerun(id),
    onAttached: (id, serial) => get().onAttached(id, serial),
  };
}

/** Lets running work end for so long, while nothing new is taken. */
async function drainWork(worker: Worker, engine: Engine, changes: Changes, drain: number): Promise<void> {
  const until = engine.now() + drain;
  if (drain > 0) {
    worker.drain();
    engine.advertise({ draining: true });
  }
  while (!worker.idle && engine.now() < until) await changes.next(Math.min(until, engine.now() + 50));
  if (!worker.idle) worker.abortAll(new MeshError("CLOSED", "the node stopped"));
  // What was said last leaves with this tick and the next.
  await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
}

interface HttpParts {
  readonly node: MeshNode;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly resources: ResourceStack;
  readonly store: Store;
}

async function serveHttp(address: string, { node, metrics, log, resources, store }: HttpParts): Promise<void> {
  const { startHttp } = await import("../telemetry/http.ts");
  await metrics.enable();
  const server = await startHttp(
    { address, log },
    { notReady: () => storeWarnings(store), metrics: () => metrics.render(), status: () => node.status() },
  );
  resources.defer(() => server.close());
  log.info({ event: "http", url: server.url }, "http listening");
}
