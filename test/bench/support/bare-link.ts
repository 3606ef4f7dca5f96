import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { FIRST_ROUTED_KIND, FLAG, FRAME, OFFSET, writeLinkHeader } from "../../../src/wire/frame.ts";
import { encodeHello, encodeKeepalive } from "../../../src/wire/greeting.ts";
import { encodeDigest } from "../../../src/wire/digest.ts";
import { type FrameSink, FrameParser } from "../../../src/wire/parser.ts";
import { exchange } from "../../integration/hostile/advertise.ts";
import { greetingOf, linkFrame } from "../../integration/hostile/raw-peer.ts";
import { within } from "../../support/mesh.ts";

/** A neighbour that is no node: it greets, says that it is there, and answers keepalives. So it costs next to nothing itself. */
export class BareLink {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Resolves when the link to `node` carries traffic for `id`. `onRouted`: every routed frame that the node sends here. */
  static async join(url: string, id: string, node: string, onRouted: FrameSink = () => undefined): Promise<BareLink> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, "connect");
    const link = new BareLink(socket);
    const heard = new Map<number, () => void>();
    const hears = (kind: number): Promise<void> => {
      const promise = new Promise<void>((resolve) => heard.set(kind, resolve));
      return within(promise, 15_000, `a frame of kind ${kind} arrives at ${id}`);
    };
    const parser = new FrameParser((bytes, view, start, end) => {
      const kind = bytes[start + OFFSET.kind] ?? 0;
      if (kind >= FIRST_ROUTED_KIND) return onRouted(bytes, view, start, end);
      if (kind === FRAME.keepalive && ((bytes[start + OFFSET.flags] ?? 0) & FLAG.reply) === 0) link.#reply(bytes.slice(start, end));
      heard.get(kind)?.();
    });
    socket.on("data", (chunk: Buffer) => parser.push(chunk));
    socket.on("error", () => undefined);
    const [hello, admitted, told] = [hears(FRAME.hello), hears(FRAME.keepalive), hears(FRAME.advertisements)];
    socket.write(linkFrame(FRAME.hello, encodeHello(greetingOf(id))));
    await hello;
    socket.write(linkFrame(FRAME.keepalive, encodeKeepalive(0)));
    await admitted;
    for (const page of encodeDigest([])) socket.write(linkFrame(FRAME.digest, page));
    socket.write(exchange(id, node));
    await told;
    return link;
  }

  /** Resolves when there is room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#socket.write(bytes)) await once(this.#socket, "drain");
  }

  close(): void {
    this.#socket.destroy();
  }

  #reply(keepalive: Uint8Array): void {
    const view = new DataView(keepalive.buffer, keepalive.byteOffset);
    writeLinkHeader(view, 0, keepalive.length, FRAME.keepalive, FLAG.reply);
    this.#socket.write(keepalive);
  }
}
