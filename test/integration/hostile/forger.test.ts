import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeshNode } from "receptor-mesh";
import { nodeId } from "../../../src/core/ids.ts";
import { createNode } from "../../../src/node/create.ts";
import { revoke } from "../../../src/node/membership/membership.ts";
import { decodeAdvertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { decodeGoodbye } from "../../../src/wire/greeting.ts";
import { enrolled, found } from "../../support/members.ts";
import { until } from "../../support/mesh.ts";
import { advertisement, batch, exchangeOf } from "./advertise.ts";
import { Forger, headOf, sealsAs } from "./forger.ts";
import { routedFrame } from "./raw-peer.ts";
import { Target } from "./target.ts";

const SOON = 15_000;
const LISTEN = ["tls://127.0.0.1:0"];
const BOOT = "f".repeat(32);

let folder = "";
let hub: Target;
let victim: MeshNode;
let mallory: Forger;
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-forger-"));
  await found(at("hub"));
  await enrolled(at("hub"), at("victim"), "victim");
  await enrolled(at("hub"), at("mallory"), "mallory", { groups: ["web"] });
  hub = await Target.start({ id: "hub", dataDir: at("hub"), listen: [...LISTEN, "tcp://127.0.0.1:0"] });
  victim = await createNode({ dataDir: at("victim"), listen: LISTEN, peers: [hub.tcp] });
  await victim.reachable("hub");
  mallory = await Forger.join(at("mallory"), hub.tcp, "mallory", "hub");
});

afterEach(async () => {
  mallory.peer.close();
  await victim.close();
  await hub.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

const forged = (): Promise<number> => hub.metric('receptor_advertisements_total{outcome="forged"');
const seen = (id: string): unknown => hub.node.status().nodes.find((node) => node.id === id);

/** The hub and the victim work together as if nothing had been said. */
async function unharmed(): Promise<void> {
  expect(seen("victim")).toMatchObject({ reachable: true, hops: 1 });
  expect((await hub.node.ping("victim", { timeout: SOON })).hops).toBe(1);
  expect((await victim.ping("hub", { timeout: SOON })).hops).toBe(1);
}

describe("a node of a mesh with an authority whose neighbour is a member that forges", () => {
  it("hears what it truly says of itself", async () => {
    await hub.node.reachable("mallory", { timeout: SOON });
    expect(await forged()).toBe(0);
    expect(mallory.peer.closed).toBe(false);
    await unharmed();
  });

  it("believes nothing that it says in another's name, counts it, and keeps the link", async () => {
    const real = decodeAdvertisement(await mallory.hearsOf("victim"));
    const newer = { ...real, epoch: real.epoch + 1_000, links: [{ peer: nodeId("mallory"), cost: 0.001 }] };
    const lies = [
      mallory.signed("victim", newer),
      mallory.signed("victim", { ...newer, boot: BOOT, withdrawn: true, links: [] }),
      mallory.signed("victim", { epoch: 9_999 }),
      encodeAdvertisement(newer),
      mallory.signed("invented", { links: [{ peer: nodeId("mallory"), cost: 0.001 }] }),
    ];
    mallory.peer.send(batch(...lies));
    await until(async () => ((await forged()) === lies.length ? true : undefined), SOON, "all are counted");
    expect(mallory.peer.closed).toBe(false);
    expect(seen("invented")).toBeUndefined();
    await unharmed();
    await mallory.settled();
    for (const raw of mallory.heardOf("victim")) expect(headOf(raw).epoch).toBe(real.epoch);
  });

  it("believes no change, however small, of what another has signed", async () => {
    const raw = await mallory.hearsOf("victim");
    const changes: readonly ((copy: Uint8Array) => void)[] = [
      // Flags, epoch, sequence, the cost of a link, the certificate, the signature.
      (copy) => (copy[1] = 0x01),
      (copy) => (copy[12] = 1),
      (copy) => (copy[18] = 1),
      (copy) => ((copy[18] = 1), (copy[59] = 0)),
      (copy) => ((copy[18] = 1), (copy[300] = (copy[300] ?? 0) ^ 4)),
      (copy) => ((copy[18] = 1), (copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1)),
    ];
    for (const change of changes) {
      const copy = raw.slice();
      change(copy);
      mallory.peer.send(batch(copy));
    }
    await mallory.settled();
    // The first has the version of the original: that it is another one is seen by nobody, and it has no effect.
    expect(await forged()).toBe(changes.length - 1);
    await unharmed();
  });

  it("does not take its own name back from what it forges in it", async () => {
    const own = headOf(await mallory.hearsOf("hub"));
    mallory.peer.send(batch(mallory.signed("hub", { epoch: 2 ** 48 - 1, boot: BOOT, withdrawn: true })));
    await until(async () => ((await forged()) === 1 ? true : undefined), SOON, "it is counted");
    await unharmed();
    await mallory.settled();
    for (const raw of mallory.heardOf("hub")) expect(headOf(raw).epoch).toBe(own.epoch);
  });

  it("answers what another said before with what it says now, and does not believe it", async () => {
    const old = await mallory.hearsOf("victim");
    const before = headOf(old).sequence;
    const { peer } = mallory;
    await enrolled(at("hub"), at("fourth"), "fourth");
    await using fourth = await createNode({ dataDir: at("fourth"), listen: [], peers: [victim.listening[0] ?? ""] });
    await fourth.reachable("hub", { timeout: SOON });
    const newer = await mallory.hearsOf("victim", (raw) => headOf(raw).sequence > before);
    const heard = mallory.heardOf("victim").length;
    for (let i = 0; i < 200; i++) peer.send(batch(old));
    await until(() => (mallory.heardOf("victim").length > heard ? true : undefined), SOON, "it is answered");
    await mallory.settled();
    const answers = mallory.heardOf("victim").slice(heard);
    expect(answers.length).toBeLessThan(200);
    for (const raw of answers) expect(headOf(raw).sequence).toBeGreaterThanOrEqual(headOf(newer).sequence);
    expect(await forged()).toBe(0);
    expect((await fourth.ping("hub", { timeout: SOON })).hops).toBe(2);
    await unharmed();
  });

  it("takes what an honest member says under a new certificate, which that one shows at once", async () => {
    const shown = (raw: Uint8Array): string => Buffer.from(decodeAdvertisement(raw).credentials?.certificate ?? []).toString("hex");
    const sealing = (raw: Uint8Array): Uint8Array | undefined => decodeAdvertisement(raw).credentials?.sealingKey;
    const before = await mallory.hearsOf("victim");
    await enrolled(at("hub"), at("victim"), "victim");
    await victim.reload();
    const after = await mallory.hearsOf("victim", (raw) => shown(raw) !== shown(before));
    expect(sealing(after)).toEqual(sealing(before));
    expect(await forged()).toBe(0);
    await unharmed();
  });

  it("cuts it off with PROTOCOL_ERROR when it goes on, and serves the others", async () => {
    for (let i = 0; i < 40; i++) mallory.peer.send(batch(mallory.signed(`invented-${i}`)));
    expect(await mallory.peer.end()).toBe("PROTOCOL_ERROR");
    expect(await forged()).toBe(17);
    expect(await hub.errors("PROTOCOL_ERROR")).toBe(1);
    await unharmed();
  });

  it("cuts it off with DENIED when it says of itself what its certificate does not, and says which", async () => {
    for (const reason of ["unsigned", "group"] as const) {
      mallory.peer.close();
      await until(() => (hub.node.status().links.length === 1 ? true : undefined), SOON, "its link is gone");
      mallory = await Forger.link(at("mallory"), hub.tcp, "mallory");
      const changes = { epoch: 5, links: [{ peer: nodeId("hub"), cost: 1 }], groups: reason === "group" ? ["web", "db"] : ["web"] };
      mallory.peer.send(
        exchangeOf(reason === "group" ? mallory.signed("mallory", changes) : encodeAdvertisement(advertisement("mallory", changes))),
      );
      expect(await mallory.peer.end()).toBe("DENIED");
      const goodbye = mallory.peer.heard.find(({ kind }) => kind === FRAME.goodbye);
      expect(goodbye === undefined ? undefined : decodeGoodbye(goodbye.body)?.data).toMatchObject({ node: "mallory", reason });
    }
    await unharmed();
  });

  it("opens nothing any more under a session of a node that was revoked since, whoever brings it", async () => {
    const seal = await sealsAs(at("victim"), "victim", await mallory.hearsOf("hub"));
    const unopened = (): Promise<Readonly<Record<string, number>>> => hub.labelled("receptor_unopened_frames_total", "reason");
    const says = async (): Promise<void> => {
      mallory.peer.send(seal(routedFrame(FRAME.echo, "victim", "hub", new Uint8Array(0))));
      await mallory.settled();
    };
    await says();
    await says();
    expect(await unopened()).toEqual({});
    await revoke(at("hub"), { node: "victim", force: false });
    await until(() => (seen("victim") === undefined ? true : undefined), SOON, "the victim is out");
    await says();
    expect(await unopened()).toEqual({ revoked: 1 });
    expect(mallory.peer.closed).toBe(false);
  });

  it("lets in nobody over a plain listener who proves nothing", async () => {
    await expect(hub.neighbour(hub.ws, "stranger").then((peer) => peer.end())).resolves.toBe("DENIED");
    expect(seen("stranger")).toBeUndefined();
    await unharmed();
  });
});
