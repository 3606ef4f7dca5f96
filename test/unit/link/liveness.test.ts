import { describe, expect, it } from "vitest";
import { Liveness } from "../../../src/link/liveness.ts";

const TIMES = { keepalive: 5_000, stale: 15_000, stall: 1_000 };

describe("Liveness", () => {
  it("asks a thousand silent peers in few wakes, each 70 to 90 % of the keepalive time after it was heard, or 50 ms later", () => {
    const wakes = new Set<number>();
    for (let i = 0; i < 1_000; i++) {
      const start = 123.4 + i / 1_000;
      const life = new Liveness(TIMES, () => i / 1_000);
      life.start(start);
      const at = life.nextWake();
      expect(at - start).toBeGreaterThanOrEqual(3_500);
      expect(at - start).toBeLessThanOrEqual(4_550);
      expect(life.wake(at, false)).toBe("ping");
      wakes.add(at);
    }
    expect(wakes.size).toBeLessThanOrEqual(22);
  });

  it("gives up a peer at the first wake after the stale time", () => {
    const life = new Liveness(TIMES, () => 0.5);
    life.start(10.3);
    let asked = 0;
    for (;;) {
      const at = life.nextWake();
      const vital = life.wake(at, false);
      if (vital === "dead") {
        expect(at - 10.3).toBeGreaterThanOrEqual(TIMES.stale);
        expect(at - 10.3).toBeLessThanOrEqual(TIMES.stale + 50);
        break;
      }
      expect(vital).toBe("ping");
      asked++;
    }
    expect(asked).toBe(3);
  });
});
