import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../../support/mesh.ts";
import { natsServer, type Stage } from "../stage.ts";
import type { Child } from "../support/child.ts";

/** Sender, server and receiver, three processes; the two ends with the server's own JavaScript client. */
export interface Nats {
  readonly sender: Child;
  readonly receiver: Child;
}

/** undefined where there is no server here, which it says. */
export async function startNats(stage: Stage): Promise<Nats | undefined> {
  const command = natsServer();
  if (command === undefined) {
    stage.note("There is no nats-server here, so it is left out; Debian's package of that name has it.");
    return undefined;
  }
  const port = await freePort();
  const config = join(stage.mesh.folder, "nats.conf");
  // A receiver that is slower than the sender is not cut off.
  await writeFile(config, `listen: 127.0.0.1:${port}\nmax_pending: 4GB\nwrite_deadline: "60s"\n`);
  const server = spawn(command, ["-c", config], { stdio: "ignore" });
  const exited = once(server, "exit");
  stage.own(async () => {
    server.kill("SIGTERM");
    await exited;
  });
  const [receiver, sender] = [stage.child("nats-receiver"), stage.child("nats-sender")];
  await receiver.ask("start", { port });
  await sender.ask("start", { port });
  return { sender, receiver };
}
