import type { Stage } from "../stage.ts";
import type { Child } from "../support/child.ts";
import type { Certificates } from "../support/certificates.ts";

/** Sender, relay and receiver over bare sockets, three processes. */
export interface Raw {
  readonly sender: Child;
  readonly receiver: Child;
  /** Where the sender connects. */
  readonly port: number;
}

/** "parse": the relay looks at each frame and copies it; "splice": it hands bytes on. */
export async function startRaw(stage: Stage, mode: "parse" | "splice", tls?: Certificates): Promise<Raw> {
  const [receiver, relay, sender] = [stage.child("raw-receiver"), stage.child("raw-relay"), stage.child("raw-sender")];
  const far = await receiver.ask<number>("start", { tls });
  const port = await relay.ask<number>("start", { port: far, mode, tls });
  await sender.ask("start", { tls });
  return { sender, receiver, port };
}
