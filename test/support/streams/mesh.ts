import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { pluginFolder, ProcessMesh, type Ready } from "../mesh.ts";
import { ControllerProcess } from "./controller.ts";
import { memoryOf } from "./memory.ts";

const RAW_HOP = fileURLToPath(new URL("./raw-hop.mjs", import.meta.url));
const MiB = 1024 * 1024;
const PATTERN = Buffer.from(Uint8Array.from({ length: 251 * 1024 }, (_, at) => at % 251));

/** `STREAMS=full` runs the sizes that are promised; without it the same tests run with less, in seconds. */
export const FULL = process.env["STREAMS"] === "full";

/** Bytes of one stream, and how a test's name says it. */
export function size(scaledMiB: number, fullMiB = 1024): { readonly bytes: number; readonly name: string } {
  const mebibytes = FULL ? fullMiB : scaledMiB;
  return { bytes: mebibytes * MiB, name: mebibytes === 1024 ? "1 GiB" : `${mebibytes} MiB` };
}

/** Of a stream whose byte at offset n is n % 251, as `echo:source` and the controllers make it. */
export function sha256Of(bytes: number): string {
  const hash = createHash("sha256");
  for (let left = bytes; left > 0; left -= PATTERN.length) hash.update(left < PATTERN.length ? PATTERN.subarray(0, left) : PATTERN);
  return hash.digest("hex");
}

/** Nodes and controllers in processes of their own, whose memory is watched. */
export class StreamMesh {
  readonly nodes = new ProcessMesh();
  readonly #controllers: ControllerProcess[] = [];
  readonly #hops: ChildProcess[] = [];

  relay(id: string, peers: readonly string[] = []): Promise<Ready> {
    return this.nodes.start(id, ["--listen", "tcp://127.0.0.1:0", ...peerArgs(peers)]);
  }

  worker(peers: readonly string[]): Promise<Ready> {
    return this.nodes.start("worker", ["--no-listen", ...peerArgs(peers), "--plugin", pluginFolder("echo")]);
  }

  /** Resolves when the worker can be reached. */
  async controller(peers: readonly string[], id = "controller"): Promise<ControllerProcess> {
    const controller = new ControllerProcess(this.nodes.folder);
    this.#controllers.push(controller);
    await controller.start(peers, id);
    return controller;
  }

  /** As many plain sockets one behind the other as a way of so many relays has, each in a process of its own; returns the first one's port. */
  async rawWay(relays: number): Promise<number> {
    let port: number | undefined;
    for (let i = 0; i <= relays; i++) {
      const hop = fork(RAW_HOP, port === undefined ? [] : [String(port)]);
      this.#hops.push(hop);
      [port] = (await once(hop, "message")) as [number];
    }
    return port ?? 0;
  }

  /** Two relays between a controller and a worker; the way over `relay-a` is the cheaper one, and the one that is taken. */
  async twoPaths(): Promise<ControllerProcess> {
    const [a, b] = await Promise.all([this.relay("relay-a"), this.relay("relay-b")]);
    const peers = [urlOf(a), `${urlOf(b)}?cost=2`];
    const [, controller] = await Promise.all([this.worker(peers), this.controller(peers)]);
    await this.goesBy(controller, "relay-a");
    return controller;
  }

  /** Resolves when the controller's next hop to the worker is this. */
  async goesBy(controller: ControllerProcess, hop: string): Promise<void> {
    const until = performance.now() + 20_000;
    while ((await controller.ask("via", { to: "worker" })) !== hop) {
      if (performance.now() > until) throw new Error(`the way to the worker does not go by ${hop}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  memory(ids: readonly string[], controller: ControllerProcess): Record<string, { readonly now: number; readonly most: number }> {
    return Object.fromEntries([["controller", memoryOf(controller.pid)], ...ids.map((id) => [id, memoryOf(this.nodes.pid(id))])]);
  }

  async close(): Promise<void> {
    for (const controller of this.#controllers) controller.kill();
    for (const hop of this.#hops) hop.kill("SIGKILL");
    await this.nodes.close();
  }
}

export function urlOf(ready: Ready): string {
  return ready.listening[0] ?? "";
}

function peerArgs(peers: readonly string[]): readonly string[] {
  return peers.flatMap((peer) => ["--peer", peer]);
}
