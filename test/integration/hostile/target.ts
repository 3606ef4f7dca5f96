import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { MeshNode, NodeOptions } from "receptor-mesh";
import { createNode, type CreateExtra } from "../../../src/node/create.ts";
import type { Logger } from "../../../src/core/log.ts";
import { TestAuthority } from "../../support/certificates.ts";
import { pluginFolder } from "../../support/mesh.ts";
import { RawPeer } from "./raw-peer.ts";

const SOON = 15_000;

/** A certificate to show, for a listener that asks for none: who dials in by TLS may be anybody, as by the others. */
async function writeCertificate(folder: string): Promise<{ readonly cert: string; readonly key: string }> {
  const { cert, key } = await (await TestAuthority.create("target")).issue("target");
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  await Promise.all([writeFile(files.cert, cert), writeFile(files.key, key, { mode: 0o600 })]);
  return files;
}

/** A node under attack: a TCP, a WebSocket and a TLS listener, the echo plugin, and its metrics. */
export class Target {
  readonly node: MeshNode;
  readonly #metrics: string;
  readonly #peers: RawPeer[] = [];
  readonly #folder: string;

  private constructor(node: MeshNode, metrics: string, folder: string) {
    this.node = node;
    this.#metrics = metrics;
    this.#folder = folder;
  }

  static async start(options: NodeOptions = {}, extra: CreateExtra = {}): Promise<Target> {
    const folder = await mkdtemp(join(tmpdir(), "receptor-target-"));
    let http = "";
    const say = (facts: object): void => {
      if ("event" in facts && facts.event === "http" && "url" in facts) http = String(facts.url);
    };
    const log: Logger = { debug: say, info: say, warn: say, error: say, child: () => log };
    const node = await createNode(
      {
        id: "target",
        ...(options.listen === undefined && {
          listen: ["tcp://127.0.0.1:0", "ws://127.0.0.1:0", "tls://127.0.0.1:0"],
          tls: await writeCertificate(folder),
        }),
        plugins: { echo: { trusted: true } },
        extraPlugins: [pluginFolder("echo")],
        http: "127.0.0.1:0",
        log,
        ...options,
      },
      extra,
    );
    return new Target(node, http, folder);
  }

  get tcp(): string {
    return this.node.listening[0] ?? "";
  }

  get ws(): string {
    return this.node.listening[1] ?? "";
  }

  get urls(): readonly string[] {
    return this.node.listening;
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

  /** One metric for each value of its label. */
  async labelled(name: string, label: string): Promise<Readonly<Record<string, number>>> {
    const text = await (await fetch(`${this.#metrics}/metrics`)).text();
    const values: Record<string, number> = {};
    for (const line of text.split("\n").filter((each) => each.startsWith(name))) {
      const value = new RegExp(`${label}="([^"]*)"`).exec(line)?.[1];
      if (value !== undefined) values[value] = Number(line.slice(line.lastIndexOf(" ") + 1));
    }
    return values;
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
    await rm(this.#folder, { recursive: true, force: true });
  }

  #keep(peer: RawPeer): RawPeer {
    this.#peers.push(peer);
    return peer;
  }
}
