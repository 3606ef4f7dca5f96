// `raw-hop.mjs [PORT]`: passes bytes on to 127.0.0.1:PORT and back, or, without one, sends them back itself. Says its own port.
import { connect, createServer } from "node:net";

const target = process.argv[2];
const server = createServer({ noDelay: true }, (socket) => {
  const next = target === undefined ? socket : connect({ port: Number(target), host: "127.0.0.1", noDelay: true });
  for (const end of [socket, next]) end.on("error", () => undefined);
  socket.pipe(next);
  if (next !== socket) next.pipe(socket);
});
server.listen(0, "127.0.0.1", () => process.send?.(server.address().port));
process.on("disconnect", () => process.exit(0));
