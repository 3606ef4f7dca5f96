import { expect } from "vitest";
import type { MeshNode, NodeOptions } from "receptor-mesh";
import { createNode } from "../../../src/node/create.ts";
import type { Logger } from "../../../src/core/log.ts";
import { pluginFolder } from "../../support/mesh.ts";
import { RawPeer } from "./raw-peer.ts";

const SOON = 15_000;

/** A node under attack: one TCP and one WebSocket listener, the echo plugin, and its metrics. */
export class Target {
  readonly node: MeshNode;
  readonly #metrics: string;
  readonly #peers: RawPeer[] = [];

  private constructor(node: MeshNode, metrics: string) {
    this.node = node;
    this.#metrics = metrics;
  }

  static async start(options: NodeOptions = {}): Promise<Target> {
    let http = "";
    const say = (facts: object): void => {
      if ("event" in facts && facts.event === "http" && "url" in facts) http = String(facts.url);
    };
    const log: Logger = { debug: say, info: say, warn: say, error: say, child: () => log };
    const node = await createNode({
      id: "target",
      listen: ["tcp://127.0.0.1:0", "ws://127.0.0.1:0"],
      plugins: { echo: {} },
      extraPlugins: [pluginFolder("echo")],
      http: "127.0.0.1:0",
      log,
      ...options,
    });
    return new Target(node, http);
  }

  get tcp(): string {
    return this.node.listening[0] ?? "";
  }

  get ws(): string {
    return this.node.listening[1] ?? "";
  }

  /** A socket that has said nothing yet. */
  async stranger(url = this.tcp, from?: string): Promise<RawPeer> {
    return this.#keep(await RawPeer.connect(url, "hostile", from));
  }

  /** A neighbour that is about to misbehave. */
  async neighbour(url = this.tcp, id = "hostile"): Promise<RawPeer> {
    return this.#keep(await RawPeer.join(url, id));
  }

  /** One metric; 0 where it was never counted. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.#metrics}/metrics`)).text();
    const line = text.split("\n").find((each) => each.startsWith(name));
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(" ") + 1));
  }

  /** How often the protocol was broken in this way. */
  async errors(code: string): Promise<number> {
    return await this.metric(`receptor_protocol_errors_total{code="${code}"`);
  }

  /** An honest node joins, pings, and gets its work done. Resolves to how long it took to join. */
  async serves(): Promise<number> {
    const began = performance.now();
    await using honest = await createNode({
      id: `honest-${Math.random().toString(36).slice(2)}`,
      listen: [],
      peers: [this.tcp],
      plugins: {},
    });
    await honest.reachable("target", { timeout: SOON });
    const milliseconds = performance.now() - began;
    await honest.ping("target", { timeout: SOON });
    const work = await honest.send("target", "echo:run", "are you well?");
    const answers: string[] = [];
    for await (const response of work) answers.push(response.text());
    expect(answers).toEqual(["are you well?"]);
    return milliseconds;
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) peer.close();
    await this.node.close();
  }

  #keep(peer: RawPeer): RawPeer {
    this.#peers.push(peer);
    return peer;
  }
}
