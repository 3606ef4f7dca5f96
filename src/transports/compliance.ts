import { CONNECT_CASES } from "./compliance-connect.ts";
import { DATA_CASES } from "./compliance-data.ts";
import type { TransportUnderTest } from "./compliance-kit.ts";

export type { TransportUnderTest } from "./compliance-kit.ts";

export interface TransportComplianceOptions {
  /** `test` of vitest, node:test or the like. */
  test(name: string, body: () => Promise<void>): unknown;
  /** Called for each test anew. */
  setup(): TransportUnderTest | Promise<TransportUnderTest>;
}

/** What every transport must do, as tests; see Pipe and Transport for the rules. */
export function transportCompliance(options: TransportComplianceOptions): void {
  for (const [name, run] of Object.entries({ ...DATA_CASES, ...CONNECT_CASES })) {
    options.test(name, async () => {
      const subject = await options.setup();
      try {
        await run(subject);
      } finally {
        await subject.close?.();
      }
    });
  }
}
