import { describe, expect, it } from "vitest";
import { MeshError } from "../../src/core/errors.ts";
import { DECODERS, type Decoder } from "./decoders.ts";
import { fuzz } from "./fuzz.ts";
import { identityDecoders } from "./identity-decoders.ts";
import { sealingDecoders } from "./sealing-decoders.ts";

const SHORT = { seed: 1, inputs: 2_000, milliseconds: 500 };
const FED: Decoder = { samples: [Uint8Array.of(1, 2, 3, 4)], read: () => undefined, codes: ["PROTOCOL_ERROR"], most: 1_000 };

const ALL = { ...DECODERS, ...(await identityDecoders()), ...(await sealingDecoders()) };

describe("fuzz", () => {
  for (const [name, decoder] of Object.entries(ALL)) {
    it(`finds no harm in the decoder of ${name}`, () => {
      const { wrong, inputs } = fuzz(decoder, SHORT);
      expect(wrong).toEqual([]);
      expect(inputs).toBeGreaterThan(0);
      // Samples that changed with each input would be refused at their first byte.
      for (const sample of decoder.samples) expect(() => decoder.read(sample)).not.toThrow();
    });
  }

  it("finds what throws something else, takes long, or keeps what it reads", () => {
    const kept: Uint8Array[] = [];
    const broken: Readonly<Record<string, Decoder["read"]>> = {
      TypeError: (bytes) => bytes.length === 5 && (undefined as unknown as string).length,
      DENIED: (bytes) => {
        if (bytes.length === 5) throw new MeshError("DENIED", "no");
      },
      took: (bytes) => {
        for (const start = process.cpuUsage(); bytes.length === 5 && process.cpuUsage(start).user < 70_000; );
      },
      larger: () => kept.push(new Uint8Array(1_000_000).fill(1)),
    };
    for (const [what, read] of Object.entries(broken))
      expect(fuzz({ ...FED, read }, { ...SHORT, milliseconds: 20_000 }).wrong.join(), what).toContain(what);
  });
});
