import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";
import { type MessageId, messageId, nodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import {
  FRAME,
  type FrameKind,
  LINK_HEADER,
  OFFSET,
  ROUTED_HEADER,
  type RoutedHeader,
  writeLinkHeader,
  writeRoutedHeader,
} from "../../../src/wire/frame.ts";
import { decodeGoodbye, encodeHello, encodeKeepalive, type Greeting } from "../../../src/wire/greeting.ts";
import { encodeDigest } from "../../../src/wire/digest.ts";
import { writeMessageId } from "../../../src/wire/message-id.ts";
import { FrameParser } from "../../../src/wire/parser.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { until, within } from "../../support/mesh.ts";
import { exchange } from "./advertise.ts";

const SOON = 15_000;

/** A frame that the node has sent. */
export interface Heard {
  readonly kind: number;
  readonly flags: number;
  readonly frame: Uint8Array;
  readonly body: Uint8Array;
}

/** A frame between the two ends of a link, as bytes. */
export function linkFrame(kind: number, body: Uint8Array = new Uint8Array(0), length: number = body.length + LINK_HEADER): Uint8Array {
  const frame = new Uint8Array(LINK_HEADER + body.length);
  writeLinkHeader(new DataView(frame.buffer), 0, length, kind);
  frame.set(body, LINK_HEADER);
  return frame;
}

/** A routed frame, as bytes. */
export function routedFrame(
  kind: FrameKind,
  from: string,
  to: string,
  body: Uint8Array,
  facts: Partial<RoutedHeader> & { readonly id?: MessageId } = {},
): Uint8Array {
  const frame = new Uint8Array(ROUTED_HEADER + body.length);
  const [source, destination] = [hashNodeId(from), hashNodeId(to)];
  writeRoutedHeader(new DataView(frame.buffer), 0, frame.length, {
    kind,
    flags: 0,
    hops: 0,
    destinationHigh: destination.high,
    destinationLow: destination.low,
    sourceHigh: source.high,
    sourceLow: source.low,
    ttl: 60_000,
    auxiliary: 0,
    ...facts,
  });
  writeMessageId(frame, OFFSET.id, facts.id ?? newId());
  frame.set(body, ROUTED_HEADER);
  return frame;
}

/** The first id of a lane of its own. */
export function newId(): MessageId {
  return messageId(`${randomUUID().slice(0, -8)}00000001`);
}

export function greetingOf(id: string): Greeting {
  return {
    node: nodeId(id),
    instance: randomBytes(16).toString("hex"),
    versionMajor: 1,
    versionMinor: 0,
    version: "0.0.0",
    ephemeral: false,
    leaf: false,
    cost: 1,
    capabilities: [],
  };
}

/** A peer without manners: a bare socket that says what it is told to, and remembers what it hears. */
export class RawPeer {
  readonly id: string;
  readonly heard: Heard[] = [];
  closed = false;
  readonly #socket: Socket | WebSocket;
  readonly #parser = new FrameParser((bytes, _view, start, end) => {
    const frame = bytes.slice(start, end);
    this.heard.push({ kind: frame[OFFSET.kind] ?? 0, flags: frame[OFFSET.flags] ?? 0, frame, body: frame.subarray(LINK_HEADER) });
  });

  constructor(id: string, socket: Socket | WebSocket) {
    this.id = id;
    this.#socket = socket;
    socket.on(socket instanceof WebSocket ? "message" : "data", (chunk: Buffer) => this.#parser.push(new Uint8Array(chunk)));
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", () => undefined);
  }

  static async connect(url: string, id = "hostile", from?: string): Promise<RawPeer> {
    const { hostname, port, protocol } = new URL(url);
    if (protocol === "ws:") {
      const ws = new WebSocket(url);
      const peer = new RawPeer(id, ws);
      await within(once(ws, "open"), SOON, "the WebSocket opens");
      return peer;
    }
    if (protocol === "tls:") {
      const socket = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false });
      const peer = new RawPeer(id, socket);
      await within(once(socket, "secureConnect"), SOON, "the handshake is over");
      return peer;
    }
    const socket = connect({ host: hostname, port: Number(port), noDelay: true, ...(from === undefined ? {} : { localAddress: from }) });
    const peer = new RawPeer(id, socket);
    await within(once(socket, "connect"), SOON, "the socket connects");
    return peer;
  }

  /** Greets, and is a neighbour: the link is up, and its exchange over. */
  static async join(url: string, id = "hostile"): Promise<RawPeer> {
    const peer = await RawPeer.connect(url, id);
    peer.send(linkFrame(FRAME.hello, encodeHello(greetingOf(id))));
    await peer.hears(FRAME.hello);
    peer.send(linkFrame(FRAME.keepalive, encodeKeepalive(0)));
    await peer.hears(FRAME.keepalive);
    for (const page of encodeDigest([])) peer.send(linkFrame(FRAME.digest, page));
    peer.send(exchange(id, "target"));
    await peer.hears(FRAME.advertisements);
    return peer;
  }

  send(bytes: Uint8Array): void {
    if (this.#socket instanceof WebSocket) this.#socket.send(bytes);
    else this.#socket.write(bytes);
  }

  /** Takes nothing that is sent to it, until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  all(kind: number): readonly Heard[] {
    return this.heard.filter((frame) => frame.kind === kind);
  }

  /** The first frame of this kind that the node sends, or has sent from `since` on. */
  async hears(kind: number, since = 0): Promise<Heard> {
    return (await until(() => this.heard.slice(since).find((frame) => frame.kind === kind), SOON, `a frame of kind ${kind} arrives`)).value;
  }

  /** Resolves, once the node has closed the connection, to the code of its goodbye; undefined: it left without a word. */
  async end(limit = SOON): Promise<ErrorCode | undefined> {
    await until(() => (this.closed ? true : undefined), limit, "the node closes the connection");
    const goodbye = this.heard.find(({ kind }) => kind === FRAME.goodbye);
    return goodbye === undefined ? undefined : decodeGoodbye(goodbye.body)?.code;
  }

  close(): void {
    if (this.#socket instanceof WebSocket) this.#socket.terminate();
    else this.#socket.destroy();
  }
}
