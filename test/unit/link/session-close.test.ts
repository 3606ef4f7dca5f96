import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { isMeshError, MeshError } from "../../../src/core/errors.ts";
import { SlabPool } from "../../../src/link/slab.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { encodeHello, encodeKeepalive } from "../../../src/wire/greeting.ts";
import { End, frame, greetingOf, Pair, routed, send } from "./support.ts";

describe("LinkSession.close", () => {
  it("sends what is queued, then goodbye with the reason; each end hears of it once", () => {
    const pair = new Pair().start();
    send(pair.a, routed(FRAME.message, 1));
    pair.a.session.close(pair.now, new MeshError("BUSY", "too many", { data: { links: 256 } }));
    pair.settle();
    expect(pair.b.frames).toHaveLength(1);
    expect(pair.b.closes).toHaveLength(1);
    expect(pair.b.closes[0]?.byPeer).toBe(true);
    expect(pair.b.closes[0]?.reason?.toJSON()).toEqual({ code: "BUSY", message: "too many", data: { links: 256 } });
    expect(pair.a.closes.map((close) => [close.reason?.code, close.byPeer])).toEqual([["BUSY", false]]);
    expect(pair.a.port.closed).toBe("gently");
  });

  it("has no reason where there is none", () => {
    const pair = new Pair().start();
    pair.a.session.close(pair.now);
    pair.settle();
    expect(pair.b.closes).toEqual([{ reason: undefined, byPeer: true }]);
  });

  it("says goodbye also past a full port, and drops what waited there", () => {
    const slabs = new SlabPool();
    const pair = new Pair({ slabs }).start();
    pair.b.port.paused = true;
    pair.a.port.capacity = 0;
    for (let i = 0; i < 10; i++) {
      send(pair.a, routed(FRAME.message, i));
      pair.a.flush(pair.now);
    }
    pair.a.session.close(pair.now);
    pair.b.port.paused = false;
    pair.settle();
    expect(pair.b.frames).toHaveLength(1);
    expect(pair.b.closes).toEqual([{ reason: undefined, byPeer: true }]);
    expect(slabs.out).toBe(0);
  });

  it("closes once, whatever comes after it", () => {
    const pair = new Pair().start();
    pair.a.session.close(pair.now);
    pair.a.session.close(pair.now, new MeshError("BUSY", "again"));
    pair.a.session.receive(pair.now, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0));
    pair.a.session.pipeClosed(pair.now, new MeshError("CONNECT_FAILED", "reset"));
    pair.a.session.pipeClosed(pair.now);
    pair.run(60_000);
    expect(pair.a.closes).toHaveLength(1);
    expect(pair.a.session.state).toBe("closed");
    expect(pair.a.session.nextWake()).toBeUndefined();
    expect(send(pair.a, routed(FRAME.message, 1))).toBe(false);
  });

  it("aborts a port that does not get rid of its goodbye", () => {
    const pair = new Pair().start();
    pair.b.port.paused = true;
    pair.a.session.close(pair.now);
    expect(pair.a.session.state).toBe("closing");
    pair.run(2_000);
    expect(pair.a.session.state).toBe("closed");
    expect(pair.a.port.closed).toBe("abruptly");
  });

  it("reports a pipe that ended without a goodbye as lost", () => {
    const pair = new Pair().start();
    pair.a.session.pipeClosed(pair.now);
    pair.b.session.pipeClosed(pair.now, new MeshError("CONNECT_FAILED", "reset by peer"));
    expect(pair.a.closes[0]?.reason?.code).toBe("CONNECT_FAILED");
    expect(pair.b.closes[0]?.reason?.message).toBe("reset by peer");
    expect(pair.a.closes[0]?.byPeer).toBe(true);
  });

  it("hands on nothing more once the engine closes in the middle of a chunk", () => {
    const pair = new Pair().start();
    pair.b.onFrame = () => pair.b.session.close(pair.now);
    for (let i = 0; i < 5; i++) send(pair.a, routed(FRAME.message, i));
    pair.settle();
    expect(pair.b.frames).toHaveLength(1);
    expect(pair.b.log.at(-1)).toBe("closed");
  });

  it.each([
    ["a frame that is too long", Uint8Array.of(0, 2, 0, 0, FRAME.digest, 0, 0, 0), "TOO_LARGE"],
    ["a chunk that is too long", Uint8Array.of(0, 0, 0xa0, 1, FRAME.data, 0, 0, 0), "TOO_LARGE"],
    ["a length below the header", Uint8Array.of(0, 0, 0, 7, FRAME.digest, 0, 0, 0), "PROTOCOL_ERROR"],
    ["a routed frame without its header", frame(FRAME.message, 0, new Uint8Array(39)), "PROTOCOL_ERROR"],
    ["a second hello", frame(FRAME.hello, 0, encodeHello(greetingOf("alpha"))), "PROTOCOL_ERROR"],
    ["a keepalive without a time", frame(FRAME.keepalive, 0, new Uint8Array(3)), "PROTOCOL_ERROR"],
    ["a goodbye that is no map", frame(FRAME.goodbye, 0, Uint8Array.of(1)), "PROTOCOL_ERROR"],
  ])("says goodbye with the code on %s", (_name, bytes, code) => {
    const pair = new Pair().start();
    pair.b.session.receive(pair.now, bytes);
    pair.settle();
    expect(pair.b.closes.map((close) => [close.reason?.code, close.byPeer])).toEqual([[code, false]]);
    expect(pair.a.closes.map((close) => [close.reason?.code, close.byPeer])).toEqual([[code, true]]);
  });

  it("closes with what the engine throws at a frame; what is no MeshError is INTERNAL", () => {
    for (const [thrown, code] of [
      [new MeshError("PROTOCOL_ERROR", "bad digest"), "PROTOCOL_ERROR"],
      [new TypeError("x"), "INTERNAL"],
    ] as const) {
      const pair = new Pair().start();
      pair.b.onFrame = () => {
        throw thrown;
      };
      pair.a.session.sendLink(FRAME.digest, new Uint8Array(1));
      pair.settle();
      expect(pair.b.closes.map((close) => close.reason?.code)).toEqual([code]);
    }
  });

  it("does not swallow what the engine throws while it is told of the close", () => {
    const pair = new Pair().start();
    pair.b.onClosed = () => {
      throw new TypeError("engine");
    };
    expect(() => pair.b.session.receive(pair.now, frame(FRAME.goodbye))).toThrow("engine");
  });
});

describe("LinkSession with a hostile peer", () => {
  const hello = frame(FRAME.hello, 0, encodeHello(greetingOf("beta")));
  const ping = frame(FRAME.keepalive, 0, encodeKeepalive(1));
  const kinds = [0, 1, 2, 3, 4, 5, 6, 9, 15, 16, 19, 24, 200];
  const aFrame = fc
    .tuple(fc.constantFrom(...kinds), fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 120 }))
    .map(([kind, flags, body]) => frame(kind, flags, body));
  const input = fc.array(fc.oneof(aFrame, fc.constant(hello), fc.constant(ping), fc.uint8Array({ maxLength: 64 })), { maxLength: 12 });

  function play(chunks: readonly Uint8Array[]): End {
    const end = new End("alpha", "listener");
    end.session.start(0);
    let now = 1;
    for (const chunk of chunks) {
      end.session.receive(now++, chunk);
      end.flush(now);
    }
    return end;
  }

  it("ends at most once, with a MeshError, and the same whole or byte by byte", () => {
    fc.assert(
      fc.property(fc.boolean(), input, (greeted, parts) => {
        const all = greeted ? [hello, ping, ...parts] : parts;
        const bytes = Uint8Array.from(all.flatMap((part) => [...part]));
        const whole = play([bytes]);
        const single = play(Array.from(bytes, (byte) => Uint8Array.of(byte)));
        for (const end of [whole, single]) {
          expect(end.closes.length).toBeLessThanOrEqual(1);
          const reason = end.closes[0]?.reason;
          expect(reason === undefined || isMeshError(reason)).toBe(true);
        }
        expect(single.log).toEqual(whole.log);
        expect(single.frames).toEqual(whole.frames);
        expect(single.closes.map((close) => close.reason?.code)).toEqual(whole.closes.map((close) => close.reason?.code));
      }),
      { numRuns: 500 },
    );
  });
});
