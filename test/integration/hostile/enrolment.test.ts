import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNode, type MeshNode } from "receptor-mesh";
import { LIMITS } from "../../../src/core/limits.ts";
import { ENROLMENT } from "../../../src/identity/enrolment.ts";
import { found } from "../../support/members.ts";

let folder = "";
let hub: MeshNode;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-enrolment-"));
  await found(folder);
  hub = await createNode({ dataDir: folder, listen: ["tls://127.0.0.1:0"] });
});

afterAll(async () => {
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A stranger that says how long its question will be, and no more. */
async function announce(length: number): Promise<{ readonly socket: TLSSocket; readonly heard: () => number }> {
  const port = Number(new URL(hub.listening[0] ?? "").port);
  const socket = connect({ host: "127.0.0.1", port, ALPNProtocols: [ENROLMENT], rejectUnauthorized: false });
  let heard = 0;
  socket.on("data", (bytes: Buffer) => (heard += bytes.length)).on("error", () => undefined);
  await once(socket, "secureConnect");
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  socket.write(head);
  return { socket, heard: () => heard };
}

describe("a stranger that asks to join", () => {
  test("is hung up on without a word when it announces more than 4 KiB, before it has sent them", async () => {
    const { socket, heard } = await announce(LIMITS.enrolment + 1);
    const began = performance.now();
    await once(socket, "close");
    // Otherwise it would have had 5 s for them.
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(heard()).toBe(0);
  });

  test("is listened to up to there", async () => {
    const { socket } = await announce(LIMITS.enrolment);
    await pause(300);
    expect(socket.readyState).toBe("open");
    socket.destroy();
  });
});
