import type { Contender, Measure, Sample } from "../measure.ts";
import type { Received } from "../programs/raw-receiver.ts";
import type { Stage } from "../stage.ts";
import { startMesh } from "../stages/mesh.ts";
import { startNats } from "../stages/nats.ts";
import { startRaw } from "../stages/raw.ts";
import type { Child } from "../support/child.ts";
import { CHUNK, digestOf } from "../support/payload.ts";
import { peakDuring, resident } from "../support/process.ts";

const MiB = 1024 * 1024;

/** Gigabytes until V8 has compiled the way of a payload. */
const WARM = 3;

/** One large payload, through one relay. The first round compares its SHA-256, which would take time from the others. */
export function bulk(quick: boolean): Measure {
  const bytes = (quick ? 32 : 1024) * MiB;
  const warm = quick ? 1 : WARM;
  const first = 1 - warm;
  return {
    name: "bulk",
    what: `a payload of ${bytes / MiB} MiB, through one relay; memory: how much more the relay has meanwhile`,
    units: { rate: "MB/s", memory: "MiB" },
    goals: [
      { contender: "mesh", value: "rate", to: "raw splice", least: 0.7 },
      { contender: "mesh", value: "rate", to: "NATS", least: 2 },
      { contender: "mesh", value: "memory", most: 32 },
    ],
    expected: { messages: 1, bytes },
    warm,
    contenders: async (stage) => {
      const digest = digestOf(bytes);
      const [splice, own, nats] = await Promise.all([startRaw(stage, "splice"), mesh(stage, { bytes, digest, first }), startNats(stage)]);
      const messages = Math.ceil(bytes / CHUNK);
      return [
        ends("raw splice", splice, { bytes, port: splice.port }, { digest, first }),
        own,
        ...(nats === undefined ? [] : [ends("NATS", nats, { bytes, messages }, { digest, first })]),
      ];
    },
  };
}

/** What the payload's SHA-256 is, and the round that compares it. */
interface Checked {
  readonly digest: string;
  readonly first: number;
}

interface Ends {
  readonly sender: Child;
  readonly receiver: Child;
}

/** A sender and a receiver that say what they saw. */
function ends(name: string, { sender, receiver }: Ends, plan: Readonly<Record<string, number>>, { digest, first }: Checked): Contender {
  return {
    name,
    run: async (round) => {
      await receiver.ask("expect", { ...plan, hash: round === first });
      await sender.ask("bulk", plan);
      const received = await receiver.ask<Received>("received");
      if (round === first) check(name, received.digest, digest);
      return sample(received);
    },
  };
}

async function mesh(stage: Stage, { bytes, digest, first }: Checked & { readonly bytes: number }): Promise<Contender> {
  const { controller, relay } = await startMesh(stage);
  const before = resident(relay.pid);
  return {
    name: "mesh",
    run: async (round) => {
      const directive = round === first ? "echo:sink" : "bench:sink";
      const ask = (): Promise<Sunk> => controller.ask<Sunk>("bulk", { bytes, directive });
      const { value, peak } = await peakDuring(relay.pid, ask);
      if (round === first) check("mesh", value.sha256, digest);
      const { values, ...counted } = sample({ bytes: value.bytes, milliseconds: value.milliseconds ?? Number.NaN });
      return { ...counted, values: { ...values, memory: peak - before } };
    },
  };
}

interface Sunk {
  readonly bytes: number;
  readonly milliseconds?: number;
  readonly sha256?: string;
}

function check(name: string, seen: string | undefined, digest: string): void {
  if (seen !== digest) throw new Error(`bulk, ${name}: other bytes arrived than were sent: ${seen ?? "no hash"}`);
}

function sample({ bytes, milliseconds }: { readonly bytes: number; readonly milliseconds: number }): Sample {
  return { values: { rate: bytes / 1_000 / milliseconds }, messages: 1, bytes };
}
