import type { Contender, Goal, Measure, Sample } from "../measure.ts";
import type { Received } from "../programs/raw-receiver.ts";
import type { Stage } from "../stage.ts";
import { startMesh } from "../stages/mesh.ts";
import { startNats } from "../stages/nats.ts";
import { startRaw } from "../stages/raw.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import type { Child } from "../support/child.ts";
import { HEADER } from "../support/frames.ts";

const SIZE = 256;

/** Messages in one direction through one relay. In the mesh: responses of one work. */
export function oneWay(quick: boolean): Measure {
  const goals = [
    { contender: "mesh", value: "rate", to: "raw relay", least: 0.5 },
    { contender: "mesh", value: "rate", to: "NATS", least: 3 },
  ];
  return measure("one-way", "through one relay", quick, goals, async (stage, count) => {
    const [first, second, third] = await Promise.all([raw(stage, "raw relay", count), startMesh(stage, "tcp"), nats(stage, count)]);
    return [
      first,
      ends("mesh", second.controller, "oneWay", count),
      ends("mesh, awaited", second.controller, "oneWayAwaited", count),
      ...third,
    ];
  });
}

/** The same, encrypted on each link. */
export function tls(quick: boolean): Measure {
  const goals = [{ contender: "mesh", value: "rate", to: "raw relay", least: 0.6 }];
  return measure("tls", "through one relay, over TLS 1.3 on both links", quick, goals, async (stage, count) => {
    const certificates = await makeCertificates();
    return await Promise.all([raw(stage, "raw relay", count, certificates), mesh(stage, "tls", count, certificates)]);
  });
}

/** The same over WebSockets, against plain TCP. */
export function websocket(quick: boolean): Measure {
  const goals = [{ contender: "mesh", value: "rate", to: "raw TCP relay", least: 0.45 }];
  return measure("websocket", "through one relay, over WebSockets on both links", quick, goals, (stage, count) =>
    Promise.all([raw(stage, "raw TCP relay", count), mesh(stage, "ws", count)]),
  );
}

type Start = (stage: Stage, count: number) => Promise<readonly Contender[]>;

function measure(name: string, what: string, quick: boolean, goals: readonly Goal[], start: Start): Measure {
  const count = quick ? 100_000 : 3_000_000;
  return {
    name,
    what: `messages of ${SIZE} bytes, ${what}`,
    units: { rate: "messages/s" },
    goals,
    // Six million messages until V8 has compiled their way.
    warm: quick ? 1 : 2,
    expected: { messages: count, bytes: count * SIZE },
    contenders: (stage) => start(stage, count),
  };
}

async function raw(stage: Stage, name: string, count: number, certificates?: Certificates): Promise<Contender> {
  const { sender, receiver, port } = await startRaw(stage, "parse", certificates);
  return {
    name,
    run: async () => {
      await receiver.ask("expect", { bytes: 0 });
      await sender.ask("oneWay", { port, count, size: SIZE });
      const received = await receiver.ask<Received>("received");
      return sample({ ...received, bytes: received.bytes - received.messages * HEADER });
    },
  };
}

async function mesh(stage: Stage, scheme: "tcp" | "tls" | "ws", count: number, certificates?: Certificates): Promise<Contender> {
  const { controller } = await startMesh(stage, scheme, certificates);
  return ends("mesh", controller, "oneWay", count);
}

function ends(name: string, controller: Child, how: "oneWay" | "oneWayAwaited", count: number): Contender {
  return { name, run: async () => sample(await controller.ask<Received>(how, { count, size: SIZE })) };
}

async function nats(stage: Stage, count: number): Promise<readonly Contender[]> {
  const ends = await startNats(stage);
  if (ends === undefined) return [];
  const run = async (): Promise<Sample> => {
    await ends.receiver.ask("expect", { messages: count });
    await ends.sender.ask("oneWay", { count, size: SIZE });
    return sample(await ends.receiver.ask<Received>("received"));
  };
  return [{ name: "NATS", run }];
}

function sample({ messages, bytes, milliseconds }: Received): Sample {
  return { values: { rate: (messages / milliseconds) * 1_000 }, messages, bytes };
}
