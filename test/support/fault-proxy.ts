import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { CLEAR, FaultyWay, type Way } from "./faulty-way.ts";

/** What a proxy does to the bytes of each direction; what is left out is clear. */
export interface Faults {
  /** From who dialled to who listens. */
  readonly out?: Partial<Way>;
  readonly back?: Partial<Way>;
}

export type Direction = keyof Faults;

interface Connection {
  readonly dialler: Socket;
  readonly listener: Socket;
  readonly out: FaultyWay;
  readonly back: FaultyWay;
}

/** A TCP proxy on loopback that can delay, throttle, swallow, half-close and reset what passes through it. */
export class FaultProxy {
  /** Where it sends connections on; while undefined, they are reset. */
  target: number | undefined;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  /** Dialled while the line was cut: they go on when it is whole. */
  readonly #held = new Set<Socket>();
  #out: Way = CLEAR;
  #back: Way = CLEAR;

  private constructor(server: Server, target: number | undefined) {
    this.#server = server;
    this.target = target;
    server.on("connection", (socket) => this.#accept(socket));
  }

  static async open(target?: number): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultProxy(server, target);
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is closed");
    return address.port;
  }

  /** Connections that pass through it now. */
  get size(): number {
    return this.#connections.size;
  }

  /** From now on, in place of all that was set before; bytes that wait already keep their time. */
  set(faults: Faults): void {
    this.#out = { ...CLEAR, ...faults.out };
    this.#back = { ...CLEAR, ...faults.back };
    for (const { out, back } of this.#connections) {
      out.kick();
      back.kick();
    }
    if (this.#cut) return;
    for (const socket of this.#held) this.#forward(socket);
    this.#held.clear();
  }

  clear(): void {
    this.set({});
  }

  /** Both ends of every connection see ECONNRESET. */
  reset(): void {
    for (const { dialler, listener } of this.#connections) {
      dialler.resetAndDestroy();
      listener.resetAndDestroy();
    }
    for (const socket of this.#held) socket.resetAndDestroy();
    this.#held.clear();
  }

  /** Ends one direction of every connection, as if its writer had; the other goes on. */
  halfClose(direction: Direction): void {
    for (const connection of this.#connections) connection[direction].finish();
  }

  async close(): Promise<void> {
    this.reset();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  get #cut(): boolean {
    return this.#out.hole || this.#back.hole;
  }

  #accept(socket: Socket): void {
    socket.on("error", () => undefined);
    if (!this.#cut) return this.#forward(socket);
    this.#held.add(socket);
    socket.once("close", () => this.#held.delete(socket));
  }

  #forward(dialler: Socket): void {
    if (this.target === undefined) return void dialler.resetAndDestroy();
    const listener = connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    listener.on("error", () => undefined);
    const connection: Connection = {
      dialler,
      listener,
      out: new FaultyWay(dialler, listener, () => this.#out),
      back: new FaultyWay(listener, dialler, () => this.#back),
    };
    this.#connections.add(connection);
    const closed = (): void => {
      if (dialler.destroyed && listener.destroyed) this.#connections.delete(connection);
    };
    dialler.once("close", closed);
    listener.once("close", closed);
  }
}
