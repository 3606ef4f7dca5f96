import type { Contender, Goal, Measure, Sample } from "../measure.ts";
import type { Received } from "../programs/raw-receiver.ts";
import type { Stage } from "../stage.ts";
import type { MeshUnderTest } from "../stages/mesh.ts";
import { startSecureMesh } from "../stages/secure.ts";
import { percentile } from "../support/numbers.ts";
import { processorTime } from "../support/process.ts";

const SIZE = 256;

/**
 * What it costs that a stream is sealed. The relay does nothing for it; its time for each message is that of its frames, which are longer by some
 * bytes, and hold fewer messages where less is sent in a tick.
 */
export function sealedStream(quick: boolean): Measure {
  const count = quick ? 50_000 : 500_000;
  const goals = [{ contender: "sealed", value: "rate", to: "plain", least: 0.5 }];
  const what = `messages of ${SIZE} bytes, responses of one work, through one relay`;
  return sealing("sealed-stream", what, { rate: "messages/s", relay: "us of the relay" }, goals, count, async ({ controller, relay }) => {
    const before = processorTime(relay.pid);
    const { messages, bytes, milliseconds } = await controller.ask<Received>("oneWay", { count, size: SIZE });
    const spent = processorTime(relay.pid) - before;
    return { values: { rate: (messages / milliseconds) * 1_000, relay: (spent / messages) * 1_000 }, messages, bytes };
  });
}

/** What it costs that a small work is sealed: its message, and its answer. */
export function sealedWorks(quick: boolean): Measure {
  const count = quick ? 1_000 : 10_000;
  const units = { rate: "works/s", p50: "us alone", relay: "us of the relay" };
  return sealing("sealed-works", `works of ${SIZE} bytes, each answered with as much`, units, [], count, async ({ controller, relay }) => {
    const ask = (many: number, outstanding: number): Promise<Asked> =>
      controller.ask<Asked>("requests", { count: many, size: SIZE, outstanding });
    const before = processorTime(relay.pid);
    const together = await ask(count, 64);
    const spent = processorTime(relay.pid) - before;
    const alone = await ask(Math.ceil(count / 10), 1);
    return {
      values: {
        rate: (together.messages / together.milliseconds) * 1_000,
        p50: percentile(alone.took, 0.5) * 1_000,
        relay: (spent / together.messages) * 1_000,
      },
      messages: together.messages,
      bytes: together.messages * SIZE,
    };
  });
}

interface Asked {
  readonly took: readonly number[];
  readonly messages: number;
  readonly milliseconds: number;
}

function sealing(
  name: string,
  what: string,
  units: Measure["units"],
  goals: readonly Goal[],
  messages: number,
  run: (mesh: MeshUnderTest) => Promise<Sample>,
): Measure {
  const contender = async (stage: Stage, named: string, e2e: "required" | "off"): Promise<Contender> => {
    const mesh = await startSecureMesh(stage.part(), e2e);
    return { name: named, run: () => run(mesh) };
  };
  return {
    name,
    what: `${what}, between nodes with certificates`,
    units,
    goals,
    expected: { messages, bytes: messages * SIZE },
    contenders: async (stage) => [await contender(stage, "plain", "off"), await contender(stage, "sealed", "required")],
  };
}
