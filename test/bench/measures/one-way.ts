import type { Measure } from "../measure.ts";
import type { Received } from "../programs/raw-receiver.ts";
import { HEADER } from "../support/frames.ts";

const SIZE = 256;

/** Messages in one direction through one relay. In the mesh: responses of one work. */
export function oneWay(quick: boolean): Measure {
  const count = quick ? 100_000 : 1_000_000;
  const sample = ({ messages, bytes, milliseconds }: Received): { values: { rate: number }; messages: number; bytes: number } => ({
    values: { rate: (messages / milliseconds) * 1_000 },
    messages,
    bytes,
  });
  return {
    name: "one-way",
    what: `messages of ${SIZE} bytes, through one relay`,
    units: { rate: "messages/s" },
    expected: { messages: count, bytes: count * SIZE },
    contenders: [
      {
        name: "raw relay",
        run: async ({ raw }) => {
          await raw.receiver.ask("expect", { bytes: 0 });
          await raw.sender.ask("oneWay", { port: raw.relay, count, size: SIZE });
          const received = await raw.receiver.ask<Received>("received");
          return sample({ ...received, bytes: received.bytes - received.messages * HEADER });
        },
      },
      { name: "mesh", run: async ({ controller }) => sample(await controller.ask<Received>("oneWay", { count, size: SIZE })) },
    ],
  };
}
