import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { decodeGoodbye, encodeHello, encodeKeepalive } from "../../../src/wire/greeting.ts";
import { End, frame, greetingOf, Pair, routed, send } from "./support.ts";

const hello = (changes = {}): Uint8Array => frame(FRAME.hello, 0, encodeHello(greetingOf("beta", changes)));
const ping = frame(FRAME.keepalive, 0, encodeKeepalive(1));

function started(options = {}): End {
  const end = new End("alpha", "listener", options);
  end.session.start(0);
  end.flush(0);
  end.port.take();
  return end;
}

/** The reason in the goodbye that the end has sent; "none" where it sent none. */
function goodbyeOf(end: End): string | undefined {
  for (let bytes = end.port.take(); bytes !== undefined; bytes = end.port.take()) {
    if (bytes[4] === FRAME.goodbye) return decodeGoodbye(bytes.subarray(8))?.code;
  }
  return "none";
}

describe("LinkSession greeting", () => {
  it("brings both ends up, and each knows the other", () => {
    const pair = new Pair().start();
    expect(pair.a.log).toEqual(["greeting beta", "up"]);
    expect(pair.b.log).toEqual(["greeting alpha", "up"]);
    expect(pair.a.session.state).toBe("up");
    expect(pair.b.session.peer?.node).toBe("alpha");
  });

  it("is the same when bytes come one by one", () => {
    const end = started();
    for (const byte of [...hello(), ...ping]) end.session.receive(1, Uint8Array.of(byte));
    expect(end.log).toEqual(["greeting beta", "up"]);
  });

  it("takes the smaller minor version", () => {
    const pair = new Pair(
      { greeting: greetingOf("alpha", { versionMinor: 7 }) },
      { greeting: greetingOf("beta", { versionMinor: 3 }) },
    ).start();
    expect(pair.a.session.versionMinor).toBe(3);
    expect(pair.b.session.versionMinor).toBe(3);
  });

  it("refuses another major version with a goodbye, and is never up", () => {
    const pair = new Pair({}, { greeting: greetingOf("beta", { versionMajor: 9 }) }).start();
    for (const end of [pair.a, pair.b]) {
      expect(end.closes.map((close) => close.reason?.code)).toEqual(["VERSION_MISMATCH"]);
      expect(end.log).not.toContain("up");
    }
  });

  it("says UNSUPPORTED where the peer requires what this node lacks", () => {
    const end = started();
    end.session.receive(1, hello({ critical: ["telepathy"] }));
    expect(end.closes[0]?.reason?.data).toEqual({ features: ["telepathy"] });
    expect(goodbyeOf(end)).toBe("UNSUPPORTED");
    expect(end.log).not.toContain("greeting beta");
  });

  it("admits a peer that requires what this node has", () => {
    const end = started({ greeting: greetingOf("alpha", { capabilities: ["telepathy"] }) });
    end.session.receive(1, hello({ critical: ["telepathy"] }));
    expect(end.session.state).toBe("admitted");
  });

  it("tells a refused peer why, and neither end is up", () => {
    const pair = new Pair({}, { verdict: () => new MeshError("DUPLICATE_NODE", "taken", { data: { address: "x" } }) }).start();
    expect(pair.a.closes).toHaveLength(1);
    expect(pair.a.closes[0]?.byPeer).toBe(true);
    expect(pair.a.closes[0]?.reason?.toJSON()).toEqual({ code: "DUPLICATE_NODE", message: "taken", data: { address: "x" } });
    expect(pair.b.closes[0]?.byPeer).toBe(false);
    expect([...pair.a.log, ...pair.b.log]).not.toContain("up");
  });

  it("waits for a decision that comes later, on both ends", () => {
    const pair = new Pair({}, { verdict: () => "later" }).start();
    pair.run(2_000);
    expect([pair.a.session.state, pair.b.session.state]).toEqual(["admitted", "judging"]);
    pair.b.session.settle(pair.now);
    pair.settle();
    expect([pair.a.session.state, pair.b.session.state]).toEqual(["up", "up"]);
  });

  it("ends a decision that never comes", () => {
    const pair = new Pair({}, { verdict: () => "later" }).start();
    pair.run(5_001);
    expect(pair.b.closes[0]?.reason?.code).toBe("SLOW_GREETING");
    expect(pair.a.closes).toHaveLength(1);
  });

  it("hangs up on a stranger that says nothing for 5 s, without a word", () => {
    const end = started();
    end.session.wake(4_999);
    expect(end.closes).toEqual([]);
    end.session.wake(5_000);
    expect(end.closes.map((close) => close.reason?.code)).toEqual(["SLOW_GREETING"]);
    expect(end.port.closed).toBe("abruptly");
    expect(goodbyeOf(end)).toBe("none");
  });

  it("hangs up on a stranger that sends its hello a byte a second", () => {
    const end = started();
    const bytes = hello();
    for (let second = 1; second < 30 && end.closes.length === 0; second++) {
      end.session.receive(second * 1_000, bytes.subarray(second - 1, second));
      end.session.wake(second * 1_000);
    }
    expect(end.closes[0]?.reason?.code).toBe("SLOW_GREETING");
    expect(end.session.state).toBe("closed");
  });

  it.each([
    ["HTTP", new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "TOO_LARGE"],
    ["wrong magic", frame(FRAME.hello, 0, new TextEncoder().encode("NOPE\u0001\u0000xx")), "PROTOCOL_ERROR"],
    ["a message first", routed(FRAME.message, 1), "PROTOCOL_ERROR"],
    ["a keepalive first", ping, "PROTOCOL_ERROR"],
    ["an unknown kind first", frame(9), "PROTOCOL_ERROR"],
    ["a frame over 4 KiB", frame(FRAME.hello, 0, new Uint8Array(4_100)), "TOO_LARGE"],
    ["a frame shorter than its header", new Uint8Array(16), "PROTOCOL_ERROR"],
    ["a hello that is no map", frame(FRAME.hello, 0, Uint8Array.of(0x52, 0x4d, 0x53, 0x48, 1, 0, 0x93, 1, 2, 3)), "PROTOCOL_ERROR"],
  ])("hangs up without a word on %s", (_name, bytes, code) => {
    const end = started();
    end.session.receive(1, bytes);
    expect(end.closes.map((close) => close.reason?.code)).toEqual([code]);
    expect(end.port.closed).toBe("abruptly");
    expect(goodbyeOf(end)).toBe("none");
  });

  it("refuses frames before both ends have admitted each other, and skips unknown link kinds", () => {
    const early = started({ verdict: () => "later" });
    early.session.receive(1, hello());
    early.session.receive(2, frame(9));
    expect(early.session.state).toBe("judging");
    early.session.receive(3, frame(FRAME.digest));
    expect(goodbyeOf(early)).toBe("PROTOCOL_ERROR");
  });

  it("sends nothing for others before it is up", () => {
    const end = started();
    expect(send(end, routed(FRAME.message, 1))).toBe(false);
    expect(end.session.sendLink(FRAME.digest, new Uint8Array(4))).toBe(false);
    expect(end.session.queuedBytes).toBe(0);
  });

  it("gives a stalled node one more greeting time, and no second one", () => {
    const end = started();
    end.session.wake(20_000);
    expect(end.closes).toEqual([]);
    expect(end.session.nextWake()).toBe(25_000);
    end.session.wake(40_000);
    expect(end.closes[0]?.reason?.code).toBe("SLOW_GREETING");
  });
});
