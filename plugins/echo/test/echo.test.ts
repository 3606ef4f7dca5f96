import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import plugin from "../src/index.ts";
import { collect, isEndedBy, runAction } from "../../../test/support/plugin-harness.ts";

const only = async (...args: Parameters<typeof runAction>): Promise<unknown> =>
  (await collect(runAction(...args))).map((one) => one.payload);

describe("echo:run", () => {
  it("sends text back as text, byte for byte", async () => {
    expect(await only(plugin, "run", "\uFEFFgrüß dich\n")).toEqual(["\uFEFFgrüß dich\n"]);
  });

  it("answers an empty payload with an empty response", async () => {
    expect(await only(plugin, "run", "")).toEqual([""]);
  });

  it("sends back as bytes what is not UTF-8", async () => {
    const bytes = Uint8Array.of(0xff, 0, 0xfe);
    const [response] = await collect(runAction(plugin, "run", bytes));
    expect(Buffer.from(response?.payload as Uint8Array).equals(bytes)).toBe(true);
  });

  it("streams what is larger than 16 KiB, and not what is as large", async () => {
    const text = "a".repeat(16 * 1024);
    expect(await collect(runAction(plugin, "run", text))).toEqual([{ payload: text, channel: undefined, streamed: false }]);
    const larger = Buffer.from(`${text}b`);
    const [response] = await collect(runAction(plugin, "run", larger));
    expect(response?.streamed).toBe(true);
    expect(larger.equals(response?.payload as Buffer)).toBe(true);
  });

  it("streams while the input is still coming, and never gathers it", async () => {
    let made = 0;
    function* chunks(): Generator<Buffer> {
      for (; made < 1000; made++) yield Buffer.alloc(32 * 1024, made);
    }
    const response = await plugin.actions.run.run(inputStream(Readable.from(chunks(), { objectMode: false })));
    expect(response).toBeInstanceOf(Readable);
    expect(made).toBeLessThan(10);
    let bytes = 0;
    for await (const chunk of response as Readable) bytes += chunk.length;
    expect(bytes).toBe(1000 * 32 * 1024);
  });
});

describe("echo:stream", () => {
  it("sends a small input back as a stream too", async () => {
    expect(await collect(runAction(plugin, "stream", "hi"))).toEqual([{ payload: Buffer.from("hi"), channel: undefined, streamed: true }]);
  });
});

describe("echo:count", () => {
  it("answers the numbers from 1, one response each", async () => {
    expect(await only(plugin, "count", '{"count":3}')).toEqual([1, 2, 3]);
    expect(await only(plugin, "count", "2")).toEqual([1, 2]);
    expect(await only(plugin, "count", '{"count":0}')).toEqual([]);
  });

  it("waits the interval between two numbers", async () => {
    const started = performance.now();
    expect(await only(plugin, "count", '{"count":3,"interval":20}')).toEqual([1, 2, 3]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(38);
  });

  it("does not wait without an interval", async () => {
    let last: unknown;
    for await (const { payload } of runAction(plugin, "count", '{"count":100000}')) last = payload;
    expect(last).toBe(100_000);
  });

  it.each(["{}", "", '{"count":-1}', '{"count":1.5}', '{"count":"3"}', '{"count":1,"interval":-1}', '{"__proto__":{"count":1}}'])(
    "refuses %s with INVALID_ARGUMENT and an example",
    async (payload) => {
      await expect(only(plugin, "count", payload)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("as in {"),
      });
    },
  );

  it("ends with the signal's reason, between numbers and while it waits", async () => {
    for (const interval of [0, 60_000]) {
      const abort = new AbortController();
      const seen: unknown[] = [];
      const reason = new Error("cancelled");
      const counting = async (): Promise<void> => {
        const payload = JSON.stringify({ count: 10, interval });
        for await (const response of runAction(plugin, "count", payload, { signal: abort.signal })) {
          seen.push(response.payload);
          abort.abort(reason);
        }
      };
      await expect(counting()).rejects.toSatisfy(isEndedBy(reason));
      expect(seen).toEqual([1]);
    }
  });
});

describe("echo:source and echo:sink", () => {
  it("make and measure the same bytes", async () => {
    for (const bytes of [0, 1, 251, 32_630, 32_631, 1_000_000]) {
      const [made] = await collect(runAction(plugin, "source", JSON.stringify({ bytes })));
      const data = made?.payload as Buffer;
      expect(data.equals(Uint8Array.from({ length: bytes }, (_, at) => at % 251))).toBe(true);
      const sha256 = createHash("sha256").update(data).digest("hex");
      expect(await only(plugin, "sink", data)).toEqual([{ bytes, sha256 }]);
    }
  });

  it("refuse a number of bytes that is none", async () => {
    await expect(only(plugin, "source", '{"bytes":-5}')).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

function inputStream(stream: Readable): Parameters<typeof plugin.actions.run.run>[0] {
  const refuse = (): Promise<never> => Promise.reject(new Error("not this way"));
  return { stream: () => stream, bytes: refuse, text: refuse, json: refuse, file: refuse };
}
