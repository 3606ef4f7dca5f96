import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { Dialer, type DialerInput } from "../../../src/link/dialer.ts";
import { seeded } from "./support.ts";

const at = (type: DialerInput["type"]): DialerInput => ({ type });

/** Lets every dial fail; the waits between them. */
function failures(dialer: Dialer, from: number, count: number): number[] {
  const waits: number[] = [];
  let now = from;
  for (let i = 0; i < count; i++) {
    dialer.step(now, at("dial-failed"));
    const next = dialer.nextWake() ?? Number.NaN;
    waits.push(next - now);
    now = next;
    expect(dialer.step(now, at("wake"))).toMatchObject([{ type: "dial" }]);
  }
  return waits;
}

function linked(random: () => number): Dialer {
  const dialer = new Dialer({ random });
  dialer.step(0, at("start"));
  dialer.step(0, at("dialed"));
  dialer.step(0, at("up"));
  return dialer;
}

describe("Dialer", () => {
  it("dials at once, and not again while it dials, greets or is up", () => {
    const dialer = new Dialer({ random: () => 0.5 });
    expect(dialer.step(0, at("start"))).toEqual([{ type: "dial", attempt: 1 }]);
    for (const [input, state] of [
      ["dialed", "greeting"],
      ["up", "up"],
    ] as const) {
      expect(dialer.step(1, at("wake"))).toEqual([]);
      expect(dialer.step(1, at(input))).toEqual([]);
      expect(dialer.state.type).toBe(state);
      expect(dialer.nextWake()).toBeUndefined();
    }
  });

  it("waits 250 ms x1.6 up to 15 s at most", () => {
    const dialer = new Dialer({ random: () => 1 });
    dialer.step(0, at("start"));
    const waits = failures(dialer, 0, 12);
    expect(waits.slice(0, 4)).toEqual([250, 400, 640, 1_024].map((wait) => expect.closeTo(wait, 6)));
    expect(waits.at(-1)).toBeCloseTo(15_000, 6);
  });

  it("spreads its waits over the whole range", () => {
    const dialer = new Dialer({ random: seeded(3) });
    dialer.step(0, at("start"));
    const waits = failures(dialer, 0, 400).slice(12);
    expect(Math.min(...waits)).toBeLessThan(500);
    expect(Math.max(...waits)).toBeGreaterThan(14_500);
  });

  it("counts a greeting that failed as a dial that failed", () => {
    const dialer = new Dialer({ random: () => 1 });
    dialer.step(0, at("start"));
    dialer.step(0, at("dialed"));
    dialer.step(10, at("down"));
    expect(dialer.nextWake()).toBe(260);
    expect(dialer.step(260, at("wake"))).toEqual([{ type: "dial", attempt: 2 }]);
  });

  it("does not dial before it is time", () => {
    const dialer = new Dialer({ random: () => 1 });
    dialer.step(0, at("start"));
    dialer.step(0, at("dial-failed"));
    expect(dialer.step(249, at("wake"))).toEqual([]);
    expect(dialer.step(250, at("wake"))).toHaveLength(1);
  });

  it("dials again within 250 ms when a link is lost, also after many failures before it", () => {
    const dialer = new Dialer({ random: () => 1 });
    dialer.step(0, at("start"));
    failures(dialer, 0, 10);
    dialer.step(100_000, at("dialed"));
    dialer.step(100_000, at("up"));
    dialer.step(110_000, at("down"));
    expect(dialer.nextWake()).toBe(110_250);
  });

  it("goes on with its backoff after 59 s of service, and starts anew after 60", () => {
    for (const [service, second] of [
      [59_999, 400],
      [60_000, 250],
    ] as const) {
      const dialer = new Dialer({ random: () => 1 });
      dialer.step(0, at("start"));
      failures(dialer, 0, 1);
      dialer.step(1_000, at("dialed"));
      dialer.step(1_000, at("up"));
      dialer.step(1_000 + service, at("down"));
      const wake = dialer.nextWake() ?? 0;
      dialer.step(wake, at("wake"));
      expect(failures(dialer, wake, 1)[0]).toBeCloseTo(second, 6);
    }
  });

  it("backs off from a link that falls as soon as it is up", () => {
    const dialer = linked(() => 1);
    const waits: number[] = [];
    let now = 0;
    for (let i = 0; i < 8; i++) {
      dialer.step(now + 10, at("down"));
      waits.push((dialer.nextWake() ?? 0) - now - 10);
      now = dialer.nextWake() ?? 0;
      for (const input of ["wake", "dialed", "up"] as const) dialer.step(now, at(input));
    }
    expect(waits.at(-1)).toBeGreaterThan(5_000);
  });

  it("lets be when the peer is linked some other way, and takes up again when that is gone", () => {
    const waiting = new Dialer({ random: () => 1 });
    waiting.step(0, at("start"));
    waiting.step(0, at("dial-failed"));
    expect(waiting.step(10, at("up"))).toEqual([]);
    expect(waiting.step(400, at("wake"))).toEqual([]);
    waiting.step(5_000, at("down"));
    expect(waiting.nextWake()).toBe(5_250);

    const dialing = new Dialer({ random: () => 1 });
    dialing.step(0, at("start"));
    expect(dialing.step(10, at("up"))).toEqual([{ type: "cancel-dial" }]);
  });

  it("stops from every state, cancels a dial, and starts anew", () => {
    const dialer = new Dialer({ random: () => 1 });
    dialer.step(0, at("start"));
    expect(dialer.step(1, at("stop"))).toEqual([{ type: "cancel-dial" }]);
    expect(dialer.step(2, at("dialed"))).toEqual([{ type: "cancel-dial" }]);
    expect(dialer.step(3, at("dial-failed"))).toEqual([]);
    expect(dialer.nextWake()).toBeUndefined();
    expect(dialer.step(4, at("start"))).toEqual([{ type: "dial", attempt: 1 }]);
    dialer.step(5, at("dial-failed"));
    expect(dialer.step(6, at("stop"))).toEqual([]);
    const up = linked(() => 1);
    expect(up.step(6, at("stop"))).toEqual([]);
    expect(up.step(7, at("down"))).toEqual([]);
    expect(up.state.type).toBe("stopped");
  });

  it("never forgets its peer: started, it is dialling, greeting, up, or has a wake", () => {
    const inputs = fc.constantFrom<DialerInput["type"]>("start", "dialed", "dial-failed", "up", "down", "wake");
    fc.assert(
      fc.property(fc.array(fc.tuple(inputs, fc.nat(100_000)), { maxLength: 60 }), fc.nat(), (steps, seed) => {
        const dialer = new Dialer({ random: seeded(seed) });
        let now = 0;
        let dials = dialer.step(now, at("start")).length;
        for (const [type, wait] of steps) {
          now += wait;
          for (const effect of dialer.step(now, at(type))) dials += effect.type === "dial" ? 1 : 0;
          const { type: state } = dialer.state;
          expect(state).not.toBe("stopped");
          expect(dialer.nextWake() !== undefined).toBe(state === "waiting");
          expect((dialer.nextWake() ?? now) - now).toBeLessThanOrEqual(15_000);
        }
        expect(dials).toBeGreaterThan(0);
      }),
    );
  });
});
