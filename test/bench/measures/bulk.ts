import type { Measure } from "../measure.ts";
import type { Received } from "../programs/raw-receiver.ts";

const MiB = 1024 * 1024;

/** One large payload, through one relay. */
export function bulk(quick: boolean): Measure {
  const bytes = (quick ? 32 : 256) * MiB;
  const rate = (received: { readonly bytes: number; readonly milliseconds: number }): { rate: number } => ({
    rate: received.bytes / 1_000 / received.milliseconds,
  });
  const raw = (name: string, port: "splice" | "relay"): Measure["contenders"][number] => ({
    name,
    run: async (contenders) => {
      await contenders.raw.receiver.ask("expect", { bytes });
      await contenders.raw.sender.ask("bulk", { port: contenders.raw[port], bytes });
      const received = await contenders.raw.receiver.ask<Received>("received");
      return { values: rate(received), messages: 1, bytes: received.bytes };
    },
  });
  return {
    name: "bulk",
    what: `a payload of ${bytes / MiB} MiB, through one relay`,
    units: { rate: "MB/s" },
    expected: { messages: 1, bytes },
    contenders: [
      raw("raw splice", "splice"),
      {
        name: "mesh",
        run: async ({ controller }) => {
          const received = await controller.ask<{ bytes: number; milliseconds: number }>("bulk", { bytes });
          return { values: rate(received), messages: 1, bytes: received.bytes };
        },
      },
    ],
  };
}
