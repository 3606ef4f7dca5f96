import { describe, expect, it } from "vitest";
import { FRAME } from "../../../src/wire/frame.ts";
import { frame, Pair, routed, send } from "./support.ts";

function up(options = {}): Pair {
  return new Pair(options).start();
}

describe("LinkSession keepalive", () => {
  it("keeps an idle link up for an hour, with a ping every 4 s or so from each end at most", () => {
    const pair = up();
    const before = pair.a.port.writes;
    pair.run(3_600_000);
    expect([pair.a.session.state, pair.b.session.state]).toEqual(["up", "up"]);
    const writes = pair.a.port.writes - before;
    expect(writes).toBeGreaterThan(3_600_000 / 4_500);
    expect(writes).toBeLessThan(2 * (3_600_000 / 3_500));
  });

  it("pings after 3.5 to 4.5 s of silence, not before", () => {
    const pair = up();
    const next = (pair.a.session.nextWake() ?? 0) - pair.now;
    expect(next).toBeGreaterThanOrEqual(3_500);
    expect(next).toBeLessThanOrEqual(4_500);
  });

  it("spreads its pings, so that the links of a node do not beat together", () => {
    const waits = Array.from({ length: 40 }, (_, seed) => {
      const pair = new Pair({ seed }).start();
      return (pair.a.session.nextWake() ?? 0) - pair.now;
    });
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(800);
  });

  it("gives the memory of long frames back when a ping goes or comes", () => {
    const pair = up();
    const halved = (bytes: Uint8Array): void => {
      for (const half of [bytes.slice(0, 40), bytes.slice(40)]) pair.b.session.receive(pair.now, half);
      pair.a.session.receive(pair.now, bytes.slice(0, 40));
      pair.a.session.receive(pair.now, bytes.slice(40));
    };
    halved(routed(FRAME.message, 1, 9_000));
    halved(routed(FRAME.message, 2, 100));
    pair.run(5_000);
    halved(routed(FRAME.message, 3, 100));
    for (const { memory } of [pair.a, pair.b]) expect(memory).toEqual([9_000, 9_000, 512]);
  });

  it("sends no ping while the peer is heard", () => {
    const pair = up();
    const before = pair.a.port.writes;
    for (let i = 0; i < 30; i++) {
      send(pair.a, routed(FRAME.message, i));
      send(pair.b, routed(FRAME.message, i));
      pair.run(1_000);
    }
    expect(pair.a.port.writes).toBe(before + 30);
  });

  it("measures the round trip, and smooths it", () => {
    const pair = new Pair();
    pair.delay = 10;
    pair.start();
    pair.run(100);
    expect(pair.a.session.rtt).toBeCloseTo(20, 5);
    pair.delay = 50;
    pair.run(6_000);
    expect(pair.a.session.rtt).toBeGreaterThan(20);
    expect(pair.a.session.rtt).toBeLessThan(60);
  });

  it("gives up a peer that vanished after 15 s, even while it keeps writing", () => {
    const pair = up();
    pair.cut.a = true;
    pair.cut.b = true;
    const from = pair.now;
    for (let i = 0; i < 14; i++) {
      pair.run(1_000);
      send(pair.a, routed(FRAME.message, i));
      expect(pair.a.closes).toEqual([]);
    }
    while (pair.a.closes.length === 0 && pair.now - from < 60_000) pair.run(100);
    expect(pair.now - from).toBeLessThanOrEqual(15_200);
    expect(pair.a.closes).toHaveLength(1);
    expect(pair.a.closes[0]?.reason?.code).toBe("TIMEOUT");
    expect(pair.a.closes[0]?.byPeer).toBe(false);
  });

  it("tells a peer that is cut off one way, so that it need not wait", () => {
    const pair = up();
    pair.cut.b = true;
    pair.run(15_001);
    expect(pair.a.closes[0]?.reason?.code).toBe("TIMEOUT");
    expect(pair.b.closes[0]?.byPeer).toBe(true);
    expect(pair.b.closes[0]?.reason?.code).toBe("TIMEOUT");
  });

  it("counts any byte as life, also half a frame", () => {
    const pair = up();
    const bytes = frame(FRAME.digest, 0, new Uint8Array(100));
    for (let i = 0; i < 60; i++) {
      pair.now += 1_000;
      pair.a.session.receive(pair.now, bytes.subarray(i, i + 1));
      pair.a.session.wake(pair.now);
    }
    expect(pair.a.session.state).toBe("up");
  });

  it("gives the peer one grace period after a stall of its own", () => {
    const pair = up();
    pair.now += 60_000;
    pair.a.session.wake(pair.now);
    expect(pair.a.closes).toEqual([]);
    expect(pair.a.dirty).toBe(true);
    pair.now += 60_000;
    pair.a.session.wake(pair.now);
    expect(pair.a.closes.map((close) => close.reason?.code)).toEqual(["TIMEOUT"]);
  });

  it("gives a new grace period once the peer was heard again", () => {
    const pair = up();
    for (let i = 0; i < 5; i++) {
      pair.now += 60_000;
      pair.a.session.wake(pair.now);
      pair.b.session.wake(pair.now);
      pair.now += 1;
      pair.settle();
    }
    expect([pair.a.session.state, pair.b.session.state]).toEqual(["up", "up"]);
  });

  it("does not judge a peer that it does not read from, and goes on pinging it", () => {
    const pair = up();
    pair.a.session.pauseInput();
    pair.run(120_000);
    expect([pair.a.session.state, pair.b.session.state]).toEqual(["up", "up"]);
    pair.a.session.resumeInput();
    pair.run(60_000);
    expect([pair.a.session.state, pair.b.session.state]).toEqual(["up", "up"]);
  });

  it("ignores answers to pings that it never sent", () => {
    const pair = up();
    const rtt = pair.a.session.rtt;
    const lie = new Uint8Array(8);
    new DataView(lie.buffer).setFloat64(0, -1e9);
    pair.a.session.receive(pair.now + 5, frame(FRAME.keepalive, 1, lie));
    expect(pair.a.session.rtt).toBe(rtt);
  });
});

describe("LinkSession.probe", () => {
  it("says alive as soon as the peer answers", () => {
    const pair = up();
    pair.delay = 5;
    const answers: [number, boolean][] = [];
    const from = pair.now;
    pair.a.session.probe(pair.now, 2_000, (now, alive) => answers.push([now - from, alive]));
    pair.run(2_100);
    expect(answers).toEqual([[10, true]]);
  });

  it("says dead in time where the peer is half open", () => {
    const pair = up();
    pair.cut.b = true;
    const answers: [number, boolean][] = [];
    const from = pair.now;
    pair.a.session.probe(pair.now, 2_000, (now, alive) => answers.push([now - from, alive]));
    pair.run(3_000);
    expect(answers).toEqual([[2_000, false]]);
  });

  it("is not deceived by bytes that the peer had sent before", () => {
    const pair = up();
    pair.delay = 50;
    send(pair.b, routed(FRAME.message, 1));
    pair.settle();
    pair.cut.b = true;
    const answers: boolean[] = [];
    pair.a.session.probe(pair.now, 2_000, (_now, alive) => answers.push(alive));
    pair.run(3_000);
    expect(pair.a.frames).toHaveLength(1);
    expect(answers).toEqual([false]);
  });

  it("is not deceived by the answer to an earlier ping", () => {
    const pair = up();
    pair.delay = 500;
    pair.now = pair.a.session.nextWake() ?? 0;
    pair.a.session.wake(pair.now);
    pair.run(600);
    pair.cut.b = true;
    const answers: boolean[] = [];
    pair.a.session.probe(pair.now, 2_000, (_now, alive) => answers.push(alive));
    pair.run(2_100);
    expect(answers).toEqual([false]);
  });

  it("takes no other bytes for an answer: a dead peer may have sent them", () => {
    const pair = up();
    const answers: boolean[] = [];
    pair.cut.a = true;
    pair.a.session.probe(pair.now, 2_000, (_now, alive) => answers.push(alive));
    pair.run(1_500);
    send(pair.b, routed(FRAME.message, 1));
    pair.run(1_000);
    expect(answers).toEqual([false]);
  });

  it("asks again where this node stalled", () => {
    const pair = up();
    const answers: boolean[] = [];
    pair.a.session.probe(pair.now, 2_000, (_now, alive) => answers.push(alive));
    pair.now += 4_000;
    pair.a.session.wake(pair.now);
    expect(answers).toEqual([]);
    pair.run(10);
    expect(answers).toEqual([true]);
  });

  it("says dead when the link closes, and at once when it is not up", () => {
    const pair = up();
    const answers: boolean[] = [];
    pair.a.session.probe(pair.now, 2_000, (_now, alive) => answers.push(alive));
    pair.a.session.close(pair.now);
    pair.a.session.probe(pair.now, 2_000, (_now, alive) => answers.push(alive));
    expect(answers).toEqual([false, false]);
  });
});
