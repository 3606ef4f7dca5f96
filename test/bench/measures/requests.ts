import type { Measure, Sample } from "../measure.ts";
import { percentile } from "../support/numbers.ts";
import type { Received } from "../programs/raw-receiver.ts";

const SIZE = 64;

interface Asked {
  readonly took: readonly number[];
  readonly milliseconds: number;
}

/** Requests that are answered through one relay, so many at a time. In the mesh: works of `echo:run`, each accepted, run and ended. */
export function requests(
  outstanding: number,
  count: number,
  value: (asked: Asked) => Sample["values"],
): Pick<Measure, "expected" | "contenders"> {
  const plan = { count, size: SIZE, outstanding };
  return {
    expected: { messages: count, bytes: count * SIZE },
    contenders: [
      {
        name: "raw relay",
        run: async ({ raw }) => {
          await raw.receiver.ask("expect", { bytes: 0 });
          const asked = await raw.sender.ask<Asked>("requests", { port: raw.relay, ...plan });
          const { messages } = await raw.receiver.ask<Received>("received");
          return { values: value(asked), messages, bytes: messages * SIZE };
        },
      },
      {
        name: "mesh",
        run: async ({ controller }) => {
          const asked = await controller.ask<Asked & { readonly messages: number }>("requests", plan);
          return { values: value(asked), messages: asked.messages, bytes: asked.messages * SIZE };
        },
      },
    ],
  };
}

/** One at a time: how long each takes. */
export function roundTrip(quick: boolean): Measure {
  return {
    name: "round-trip",
    what: `one request of ${SIZE} bytes and its answer, through one relay`,
    units: { p50: "us", p99: "us" },
    ...requests(1, quick ? 1_000 : 5_000, ({ took }) => ({ p50: percentile(took, 0.5) * 1_000, p99: percentile(took, 0.99) * 1_000 })),
  };
}

/** 64 at a time: how many a second. */
export function smallWorks(quick: boolean): Measure {
  return {
    name: "small-works",
    what: `requests of ${SIZE} bytes, 64 outstanding, through one relay`,
    units: { rate: "works/s" },
    ...requests(64, quick ? 5_000 : 30_000, ({ took, milliseconds }) => ({ rate: (took.length / milliseconds) * 1_000 })),
  };
}
