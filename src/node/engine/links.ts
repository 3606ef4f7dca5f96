import { isMeshError, MeshError } from "../../core/errors.ts";
import { isNodeId, type NodeId } from "../../core/ids.ts";
import type { Instant } from "../../core/instant.ts";
import { type Stranger, Strangers } from "../../core/strangers.ts";
import { chooseSession, type Claim, duplicateNode, isReplaced, judgeIdentity, PROBE_TIME, replaced } from "../../link/admission.ts";
import type { LinkPort } from "../../link/contract.ts";
import { LinkSession } from "../../link/session.ts";
import { SlabPool } from "../../link/slab.ts";
import { PROTOCOL } from "../../wire/frame.ts";
import type { Greeting } from "../../wire/greeting.ts";
import type { Pipe } from "../../transports/transport.ts";
import type { Agenda } from "./agenda.ts";
import { Backpressure, type Brought } from "./backpressure.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { Environment } from "./environment.ts";
import { TokenBucket } from "../../core/token-bucket.ts";
import type { SessionRates } from "../../sealing/sealing.ts";
import type { Link } from "./link.ts";
import { mayCallItself } from "../../identity/names.ts";
import { Peer } from "./peer.ts";

export interface LinksHandlers {
  onFrame(link: Link, kind: number, body: Uint8Array): void;
  onRouted(now: Instant, link: Link, bytes: Uint8Array, view: DataView, start: number, end: number): void;
  onUp(link: Link): void;
  onDown(link: Link, reason: MeshError | undefined): void;
  onWritable(): void;
  onDropped(): void;
  onFatal(error: MeshError): void;
  /** Why a peer that has greeted may have no link, whatever it says of itself. */
  refuse(link: Link): MeshError | undefined;
  /** A configured peer could not be reached, or a session ended before it was up. */
  onRefused(url: string, error: MeshError): void;
  /** A session ended on this side's account: it never came up, or the peer did what it may not. */
  onCutOff(link: Link, reason: MeshError): void;
  /** A connection came while too many had not shown who they are. */
  onTurnedAway(): void;
  markDirty(): void;
}

const NOBODY = "" as NodeId;

/** Every session of a node: those it dials, those that dial it, and which of two stays. */
export class Links {
  readonly #options: Pick<EngineOptions, "id" | "boot" | "version" | "leaf" | "ephemeral">;
  readonly #env: Environment;
  readonly #agenda: Agenda;
  readonly #handlers: LinksHandlers;
  readonly #startedAt: Instant;
  readonly #slabs: SlabPool;
  readonly #strangers = new Strangers();
  readonly #links = new Map<number, Link>();
  readonly #byPeer = new Map<NodeId, Link>();
  readonly #peers = new Map<string, Peer>();
  readonly #dirty = new Set<LinkSession>();
  readonly #backpressure = new Backpressure();
  #nextId = 1;

  constructor(options: EngineOptions, env: Environment, agenda: Agenda, handlers: LinksHandlers) {
    this.#options = options;
    this.#env = env;
    this.#agenda = agenda;
    this.#handlers = handlers;
    this.#slabs = env.slabs ?? new SlabPool();
    this.#startedAt = env.now();
  }

  get(id: number): Link | undefined {
    return this.#links.get(id);
  }

  /** Links that are up. */
  *list(): Generator<Link> {
    for (const link of this.#links.values()) if (link.up) yield link;
  }

  peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  firstUp(): Link | undefined {
    for (const link of this.#links.values()) if (link.adjacent) return link;
    return undefined;
  }

  /** Whether one more socket of this host may come in. */
  admits(host: string): boolean {
    return this.#strangers.mayEnter(this.#env.now(), host);
  }

  /** One that would have come in was closed, before it was a pipe. */
  turnedAway(): void {
    this.#handlers.onTurnedAway();
  }

  /** Keeps a link to `url` from now on. */
  addPeer(url: string, cost: number): void {
    if (this.#peers.has(url)) return;
    const peer = new Peer(url, cost, this.#env, this.#agenda, {
      onPipe: (pipe) => this.#open(pipe, url, "out", cost, peer),
      onFailed: (error) => this.#handlers.onRefused(url, error),
    });
    this.#peers.set(url, peer);
    peer.start();
  }

  removePeer(url: string): void {
    const peer = this.#peers.get(url);
    if (peer === undefined) return;
    this.#peers.delete(url);
    peer.stop();
    for (const link of this.#links.values()) if (link.configured === peer) link.session.close(this.#env.now());
  }

  accept(pipe: Pipe, url: string, cost: number): void {
    this.#open(pipe, url, "in", cost, undefined);
  }

  close(id: number, reason: MeshError): void {
    this.#links.get(id)?.session.close(this.#env.now(), reason);
  }

  closeAll(): void {
    for (const peer of this.#peers.values()) peer.stop();
    this.#peers.clear();
    for (const link of [...this.#links.values()]) link.session.close(this.#env.now());
  }

  /** `from` has brought something for `to`, which is congested. */
  brought(now: Instant, from: Link, to: Link, what: Brought): void {
    this.#backpressure.brought(now, from, to, what);
    this.#agenda.touch(this.#backpressure);
  }

  flush(now: Instant): void {
    for (const session of this.#dirty) session.flush(now);
    this.#dirty.clear();
  }

  #open(pipe: Pipe, url: string, direction: "in" | "out", cost: number, configured: Peer | undefined): void {
    const stranger: Stranger = {
      address: pipe.remoteHost,
      since: this.#env.now(),
      spoke: () => session.state === "judging" || session.state === "admitted",
      close: () => {
        session.close(this.#env.now(), new MeshError("SLOW_GREETING", "others wanted to greet"));
        // The place is free when the connection is, and not when that has had its time to end well.
        pipe.close(true);
      },
    };
    if (direction === "in" && !this.#strangers.enter(stranger)) {
      pipe.close(true);
      this.#handlers.onTurnedAway();
      return;
    }
    const port: LinkPort = {
      write: (bytes, done, spent) => pipe.write(bytes, done, spent),
      pause: () => pipe.pause(),
      resume: () => pipe.resume(),
      close: (abort) => pipe.close(abort),
    };
    const session: LinkSession = new LinkSession(
      { local: this.#greeting(cost), role: direction === "in" ? "listener" : "dialer", random: this.#env.random, slabs: this.#slabs },
      port,
      {
        onGreeting: (greeting) => this.#judge(link, greeting),
        onUp: () => {
          this.#strangers.leave(stranger);
          this.#up(link);
        },
        onLinkFrame: (_now, kind, body) => this.#handlers.onFrame(link, kind, body),
        onRouted: (now, bytes, view, start, end) => this.#handlers.onRouted(now, link, bytes, view, start, end),
        onWritable: () => {
          this.#backpressure.release(link);
          this.#handlers.onWritable();
        },
        onDropped: () => this.#handlers.onDropped(),
        onClosed: (reason, byPeer) => this.#closed(link, reason, byPeer),
        markDirty: () => {
          this.#dirty.add(session);
          this.#handlers.markDirty();
        },
      },
    );
    const link: Link = {
      id: this.#nextId++,
      session,
      pipe,
      url,
      direction,
      cost,
      configured,
      peer: NOBODY,
      ephemeral: false,
      up: false,
      rates: sessionRates(),
      adjacent: false,
    };
    this.#links.set(link.id, link);
    session.start(this.#env.now());
    pipe.open({
      onData: (chunk) => session.receive(this.#env.now(), chunk),
      onDrain: () => {
        session.drained(this.#env.now());
        this.#handlers.markDirty();
      },
      onClose: (error) => {
        this.#strangers.leave(stranger);
        session.pipeClosed(this.#env.now(), error);
      },
    });
    this.#agenda.touch(session);
  }

  #greeting(cost: number): Greeting {
    const { id, boot, version, leaf, ephemeral } = this.#options;
    return {
      node: id,
      instance: boot,
      versionMajor: PROTOCOL.major,
      versionMinor: PROTOCOL.minor,
      version,
      ephemeral,
      leaf,
      cost,
      capabilities: [],
      uptime: this.#env.now() - this.#startedAt,
    };
  }

  #judge(link: Link, greeting: Greeting): MeshError | undefined | "later" {
    if (!isNodeId(greeting.node)) return new MeshError("PROTOCOL_ERROR", "the peer's id is no node id");
    const refusal = this.#handlers.refuse(link);
    if (refusal !== undefined) return refusal;
    const { certified, remote } = link.pipe;
    const misnamed = certified !== undefined && !mayCallItself(certified, greeting.node, greeting.ephemeral);
    const identity = judgeIdentity(this.#greeting(link.cost), greeting, remote, {
      chosen: isChosen(link),
      ...(misnamed ? { expected: certified } : {}),
    });
    if (identity.type === "leave") this.#handlers.onFatal(identity.error);
    if (identity.type !== "admit") {
      if (identity.error.data["self"] === true) link.configured?.giveUp();
      return identity.error;
    }
    link.peer = greeting.node;
    link.ephemeral = greeting.ephemeral;
    const existing = this.#byPeer.get(greeting.node);
    if (existing === undefined || existing === link) return undefined;
    const now = this.#env.now();
    switch (chooseSession(this.#claim(existing), this.#claim(link), now)) {
      case "existing":
        return replaced(greeting.node);
      case "newer":
        return undefined;
      case "elder":
        // The younger is not told to leave yet: this may be what a dead process had sent. It dials again, and the elder is asked for a sign of life.
        return undefined;
      case "probe":
        existing.session.probe(now, PROBE_TIME, (at, alive) => {
          link.session.settle(at, alive ? duplicateNode(greeting.node, existing.pipe.remote) : undefined);
          this.#agenda.touch(link.session);
        });
        this.#agenda.touch(existing.session);
        return "later";
    }
  }

  #claim(link: Link): Claim {
    return {
      instance: link.session.peer?.instance ?? "",
      dialledBy: link.direction === "out" ? this.#options.id : link.peer,
      state: link.session.state,
      since: link.session.since,
      started: link.session.since - (link.session.peer?.uptime ?? 0),
    };
  }

  #up(link: Link): void {
    const now = this.#env.now();
    const existing = this.#byPeer.get(link.peer);
    this.#byPeer.set(link.peer, link);
    link.up = true;
    link.configured?.up();
    if (existing !== undefined && existing !== link) {
      // The link that stays serves whoever wanted the other.
      existing.session.close(now, replaced(link.peer));
    }
    this.#handlers.onUp(link);
    this.#agenda.touch(link.session);
  }

  #closed(link: Link, reason: MeshError | undefined, byPeer: boolean): void {
    this.#links.delete(link.id);
    this.#agenda.remove(link.session);
    this.#backpressure.forget(link);
    const survivor = this.#byPeer.get(link.peer);
    if (survivor === link) this.#byPeer.delete(link.peer);
    if (byPeer && isMeshError(reason, "DUPLICATE_NODE") && reason.data["node"] === this.#options.id && isChosen(link))
      this.#handlers.onFatal(reason);
    if (!byPeer && reason !== undefined && !isReplaced(reason)) this.#handlers.onCutOff(link, reason);
    if (link.up) this.#handlers.onDown(link, reason);
    else if (reason !== undefined && link.configured !== undefined && reason.data["replaced"] !== true)
      this.#handlers.onRefused(link.url, explained(link, reason));
    this.#redial(link, survivor, reason);
  }

  /** A peer whose link was replaced by one that it dialled itself is still linked: its dialer rests until that one falls. */
  #redial(link: Link, survivor: Link | undefined, reason: MeshError | undefined): void {
    for (const peer of this.#peers.values()) {
      if (peer === link.configured) {
        if (reason?.data["replaced"] === true && survivor !== undefined && survivor !== link) peer.rest(survivor);
        else peer.down();
      } else if (peer.restsOn(link)) {
        peer.down();
      }
    }
  }
}

/** A listener that speaks TLS hangs up on who does not, without a word. */
function explained(link: Link, reason: MeshError): MeshError {
  if (reason.code !== "CONNECT_FAILED" || link.pipe.secure || link.session.peer !== undefined) return reason;
  const message = `${reason.message}; if it is of a secure mesh, dial it as tls://, and join that mesh with a token`;
  return new MeshError(reason.code, message, { data: reason.data, cause: reason });
}

/** Whether this node dialled the peer, or saw its certificate: what anybody may say who dials in is no reason to leave the mesh. */
function isChosen(link: Link): boolean {
  return link.direction === "out" || link.pipe.certified !== undefined;
}

/** Of sessions that are begun at another node and come by one link: what a mesh of a thousand nodes needs after a restart, and too few to fill what is remembered. */
function sessionRates(): SessionRates {
  return { begin: new TokenBucket(25, 1_000), answer: new TokenBucket(20, 100) };
}
