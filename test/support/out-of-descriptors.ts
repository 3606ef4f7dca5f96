import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { TcpTransport } from "../../src/transports/tcp.ts";
import { parseMeshUrl } from "../../src/transports/url.ts";

// Run with few descriptors: fills them with connections to its own listener, frees some, and prints what it saw as JSON.
const troubles: (string | undefined)[] = [];
let recovered: () => void = () => undefined;
const recovery = new Promise<void>((resolve) => (recovered = resolve));
let pipes = 0;
const listener = await new TcpTransport().listen(parseMeshUrl("tcp://127.0.0.1:0"), {
  onPipe(pipe) {
    pipes++;
    pipe.open({ onData: (chunk) => pipe.write(Buffer.from(chunk)), onDrain: () => undefined, onClose: () => undefined });
  },
  onTrouble(error) {
    troubles.push(error?.message);
    if (error === undefined) recovered();
  },
});

const clients: Socket[] = [];
for (let at = 0; at < 60; at++) {
  const client = connect(listener.url.port, "127.0.0.1");
  clients.push(client);
  await Promise.race([once(client, "connect"), once(client, "close")]).catch(() => undefined);
  client.on("error", () => undefined).resume();
}
await new Promise((resolve) => setTimeout(resolve, 100));
const during = pipes;
const echoed = await echo(clients[0]);
for (const client of clients.slice(1)) client.destroy();
await recovery;
const newcomer = connect(listener.url.port, "127.0.0.1");
const served = await echo(newcomer);
process.stdout.write(JSON.stringify({ troubles, during, echoed, served }));
process.exit(0);

async function echo(socket: Socket | undefined): Promise<string> {
  if (socket === undefined) return "";
  socket.write("x");
  const [data] = await once(socket, "data");
  return String(data);
}
