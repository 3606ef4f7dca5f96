import { connect, type Socket } from "node:net";
import type { Burst, Drip, FloodOrder, FloodReport } from "./orders.ts";

// A process of its own, so that the crowd does not slow down the clock that judges the node. Orders come by IPC, and are answered in order.
const DRIP = 1_000;
/** A drop that the kernel did not answer is tried again after a second; more than that is nobody's patience. */
const PATIENCE = 15_000;

function open(port: number, from: string): Socket {
  const socket = connect({ host: "127.0.0.1", port, localAddress: from, noDelay: true });
  return socket.on("error", () => undefined).resume();
}

/** Each opens and says a hello at 1 byte a second, for as long as it is let. */
async function drip({ port, from, count, hello }: Drip): Promise<FloodReport> {
  const began = performance.now();
  const bytes = Buffer.from(hello, "base64");
  const lasted = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const socket = open(port, from[i % from.length] ?? "");
      let at = 0;
      const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), DRIP);
      await new Promise((resolve) => {
        socket.once("close", resolve);
        setTimeout(resolve, PATIENCE).unref();
      });
      clearInterval(timer);
      const closed = socket.destroyed;
      socket.destroy();
      return { closed, after: performance.now() - began };
    }),
  );
  return {
    milliseconds: performance.now() - began,
    closed: lasted.filter(({ closed }) => closed).length,
    longest: Math.max(...lasted.map(({ after }) => after)),
  };
}

/** So many connections, as fast as they come; each waits to be closed. */
async function burst({ port, from, count, hello, atOnce }: Burst): Promise<FloodReport> {
  const began = performance.now();
  const bytes = Buffer.from(hello, "base64");
  let [started, closed, longest] = [0, 0, 0];
  const one = async (): Promise<void> => {
    while (started < count) {
      const opened = performance.now();
      const socket = open(port, from[started++ % from.length] ?? "");
      socket.write(bytes);
      await new Promise((resolve) => {
        socket.once("close", resolve);
        setTimeout(resolve, PATIENCE).unref();
      });
      if (socket.destroyed) closed++;
      socket.destroy();
      longest = Math.max(longest, performance.now() - opened);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return { milliseconds: performance.now() - began, closed, longest };
}

process.on("message", (order: FloodOrder) => {
  void (order.type === "drip" ? drip(order) : burst(order)).then((report) => process.send?.(report));
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
