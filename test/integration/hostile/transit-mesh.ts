import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeOptions, Response, Work } from "receptor-mesh";
import { definePlugin, type PluginDefinition } from "receptor-mesh/plugin";
import { enrolled, found } from "../../support/members.ts";
import { until } from "../../support/mesh.ts";
import { Mallory } from "./mallory.ts";
import { Target } from "./target.ts";

export const SOON = 15_000;
export const NAMES = ["west", "east", "relay", "mallory"];
const TLS = ["tls://127.0.0.1:0"];

/** What the probe says of each work that it runs. */
export const ANSWER = "the-answer-is-for-west-alone";

/** One work that began. */
export interface Run {
  readonly id: string;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TransitOptions {
  /** There is a second way, over which each link costs 10. */
  readonly relay?: boolean;
  /** What west and east are configured to have their links to mallory cost; default 1. */
  readonly cost?: number;
  readonly west?: NodeOptions;
  readonly east?: NodeOptions;
  readonly mallory?: NodeOptions;
}

/** West and east, members of one mesh, and mallory between them. */
export class TransitMesh {
  readonly folder = mkdtempSync(join(tmpdir(), "receptor-transit-"));
  /** Works that began at any node, in order; a work that ran twice is there twice. */
  readonly runs: Run[] = [];
  /** Works of `probe:wait` end when it is called. */
  release: () => void = () => undefined;
  /** Works of `probe:wait` that were cancelled. */
  readonly aborted: string[] = [];
  #mallory: Mallory | undefined;
  readonly #nodes = new Map<string, Target>();

  static async start(options: TransitOptions = {}): Promise<TransitMesh> {
    const mesh = new TransitMesh();
    await found(mesh.at("hub"));
    for (const name of NAMES) await enrolled(mesh.at("hub"), mesh.at(name), name);
    mesh.#mallory = await Mallory.start({ listen: TLS, plugins: {}, ...options.mallory, dataDir: mesh.at("mallory") }, NAMES);
    const by = [costing(mesh.mallory.node.listening[0], options.cost ?? 1)];
    if (options.relay === true) {
      const relay = await mesh.node("relay", { listen: TLS });
      by.push(costing(relay.tcp, 10));
    }
    const west = await mesh.node("west", { peers: by, ...options.west });
    const east = await mesh.node("east", { peers: by, ...options.east });
    await west.node.reachable("east", { timeout: SOON });
    await east.node.reachable("west", { timeout: SOON });
    if (options.relay === true) await until(() => (hops(west) && hops(east) ? true : undefined), SOON, "both ways are known");
    return mesh;
  }

  get mallory(): Mallory {
    if (this.#mallory === undefined) throw new Error("not started");
    return this.#mallory;
  }

  get west(): Target {
    return this.member("west");
  }

  get east(): Target {
    return this.member("east");
  }

  member(name: string): Target {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(name);
    return node;
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  /** Starts a member, for the first time or again. */
  async node(name: string, options: NodeOptions): Promise<Target> {
    const all = {
      id: name,
      dataDir: this.at(name),
      listen: [],
      plugins: {},
      extraPlugins: [] as string[],
      allow: [{ from: ["*"] }],
      ...options,
    };
    const target = await Target.start(all, { definitions: [this.#probe()] });
    this.#nodes.set(name, target);
    return target;
  }

  /** How many frames `name` did not take, by the reason. */
  async reasons(name: string): Promise<Readonly<Record<string, number>>> {
    return await this.member(name).labelled("receptor_unopened_frames_total", "reason");
  }

  /** How often the work with this text began. */
  ran(text: string): number {
    return this.runs.filter((run) => run.text === text).length;
  }

  async close(): Promise<void> {
    this.release();
    for (const target of this.#nodes.values()) await target.close();
    await this.#mallory?.node.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #probe(): PluginDefinition {
    const released = new Promise<void>((resolve) => {
      const before = this.release;
      this.release = () => (before(), resolve());
    });
    const { aborted } = this;
    const note = (id: string, text: string, headers: Readonly<Record<string, string>>): void => void this.runs.push({ id, text, headers });
    return definePlugin({
      name: "probe",
      actions: {
        async *run(input, context) {
          const text = await input.text();
          note(context.id, text, context.headers);
          yield `${ANSWER} ${text}`;
        },
        again: {
          idempotent: true,
          async *run(input, context) {
            const text = await input.text();
            note(context.id, text, context.headers);
            yield `${ANSWER} ${text}`;
          },
        },
        async *flood(input, context) {
          const bytes = await input.bytes();
          note(context.id, createHash("sha256").update(bytes).digest("hex"), context.headers);
          for (let at = 0; at < bytes.length; at += 32_768) yield bytes.subarray(at, at + 32_768);
        },
        async *wait(input, context) {
          const text = await input.text();
          note(context.id, text, context.headers);
          const abort = new Promise<void>((resolve) =>
            context.signal.addEventListener("abort", () => (aborted.push(context.id), resolve())),
          );
          yield "begun";
          await Promise.race([released, abort]);
          context.signal.throwIfAborted();
          yield `${ANSWER} ${text}`;
        },
      },
    });
  }
}

/** A URL as it is dialled, where its link is to cost so much. */
function costing(url = "", cost: number): string {
  const bare = new URL(url);
  bare.search = `cost=${cost}`;
  return bare.href;
}

/** Whether it has links to both of those that carry. */
function hops({ node }: Target): boolean {
  return node.status().links.length === 2 && node.status().nodes.filter(({ reachable }) => reachable).length >= 3;
}

/** All responses of a work, as text. Rejects as the work does. */
export async function texts(work: AsyncIterable<Response>): Promise<string[]> {
  const all: string[] = [];
  for await (const response of work) all.push(response.text());
  return all;
}

/** All bytes of the responses of a work, in order. */
export async function bytesOf(work: Work): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const response of work) all.push(response.bytes());
  return Buffer.concat(all);
}
