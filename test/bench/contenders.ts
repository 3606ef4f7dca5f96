import { fileURLToPath } from "node:url";
import { pluginFolder, ProcessMesh } from "../support/mesh.ts";
import { Child } from "./support/child.ts";

/** Sender, relay and receiver over bare sockets, three processes. */
export interface Raw {
  readonly sender: Child;
  readonly receiver: Child;
  /** Where the sender connects. */
  readonly relay: number;
  readonly splice: number;
}

/** Everything that is measured, in processes of their own on loopback. */
export interface Contenders {
  readonly raw: Raw;
  /** Controls the mesh: controller, relay, worker. */
  readonly controller: Child;
  stop(): Promise<void>;
}

const PLUGIN = fileURLToPath(new URL("./plugin", import.meta.url));

export async function startContenders(): Promise<Contenders> {
  const mesh = new ProcessMesh();
  const children: Child[] = [];
  const child = (program: string): Child => {
    const one = new Child(program);
    children.push(one);
    return one;
  };
  const stop = async (): Promise<void> => {
    for (const one of children) await one.stop();
    for (const id of ["worker", "relay"]) await mesh.signal(id, "SIGTERM").catch(() => null);
    await mesh.close();
  };
  try {
    const receiver = child("raw-receiver");
    const port = await receiver.ask<number>("start");
    const relay = await child("raw-relay").ask<number>("start", { port, mode: "parse" });
    const splice = await child("raw-relay").ask<number>("start", { port, mode: "splice" });
    const { listening } = await mesh.start("relay", ["--listen", "tcp://127.0.0.1:0"]);
    const peer = listening[0] ?? "";
    await mesh.start("worker", ["--no-listen", "--peer", peer, "--plugin", PLUGIN, "--plugin", pluginFolder("echo"), "--max-work", "64"]);
    const controller = child("controller");
    await controller.ask("start", { peer });
    return { raw: { sender: child("raw-sender"), receiver, relay, splice }, controller, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
