import { readFile, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { WorkAbort } from "../../../src/plugin/abort.ts";
import { WorkInput } from "../../../src/plugin/input.ts";

function never(): WorkAbort {
  return new WorkAbort();
}

function streamed(...parts: readonly Uint8Array[]): WorkInput {
  return new WorkInput({ stream: Readable.from(parts, { objectMode: false }) }, never());
}

function inline(payload: Uint8Array): WorkInput {
  return new WorkInput({ inline: payload, stream: Readable.from([payload], { objectMode: false }) }, never());
}

describe.each([
  ["inline", inline],
  ["streamed", (payload: Uint8Array) => streamed(payload.subarray(0, 3), payload.subarray(3))],
])("WorkInput, %s", (_, make) => {
  it("gives bytes, text, a stream or a file", async () => {
    const payload = utf8("größer");
    expect(Buffer.from(await make(payload).bytes()).toString()).toBe("größer");
    expect(await make(payload).text()).toBe("größer");
    expect(await text(make(payload).stream())).toBe("größer");
    const input = make(payload);
    expect(await readFile(await input.file(), "utf8")).toBe("größer");
    await input.close();
  });

  it("gives bytes as they are, and U+FFFD for what is not UTF-8 in text", async () => {
    const payload = new Uint8Array([0x61, 0xff, 0xfe, 0x62, 0x63]);
    expect([...(await make(payload).bytes())]).toEqual([...payload]);
    expect(await make(payload).text()).toBe("a\ufffd\ufffdbc");
  });

  it("parses JSON; nothing is undefined, and what is no JSON is INVALID_ARGUMENT", async () => {
    expect(await make(utf8('{"a":[1]}')).json()).toEqual({ a: [1] });
    expect(await make(utf8(" \n ")).json()).toBeUndefined();
    await expect(make(utf8("{nope")).json()).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: "the payload is no JSON" });
  });

  it("refuses more than the limit", async () => {
    await expect(make(utf8("123456")).bytes(5)).rejects.toMatchObject({ code: "TOO_LARGE", data: { limit: 5 } });
    expect(await make(utf8("12345")).text(5)).toBe("12345");
  });

  it("can be read once, in one way", async () => {
    const input = make(utf8("abcdef"));
    await input.text();
    await expect(input.bytes()).rejects.toThrow("the plugin reads its input with bytes() after text(): it can be read once, in one way");
    expect(() => input.stream()).toThrow("after text()");
  });

  it("removes the file when the work ends", async () => {
    const input = make(utf8("abcdef"));
    const path = await input.file();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await input.close();
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("WorkInput", () => {
  it("knows the length of what came with the message, and of nothing else", () => {
    expect(inline(utf8("hello")).length).toBe(5);
    expect(inline(new Uint8Array(0)).length).toBe(0);
    expect(streamed(utf8("hello")).length).toBeUndefined();
  });

  it("ends reading with the signal's reason", async () => {
    const abort = new WorkAbort();
    const input = new WorkInput({ stream: new Readable({ read: () => undefined }) }, abort);
    const read = input.bytes();
    abort.abort(new MeshError("CANCELLED", "enough"));
    await expect(read).rejects.toMatchObject({ code: "CANCELLED", message: "enough" });
  });

  it("stops taking a payload that is over the limit", async () => {
    let made = 0;
    const endless = new Readable({
      read() {
        made++;
        this.push(new Uint8Array(1024));
      },
    });
    await expect(new WorkInput({ stream: endless }, never()).bytes(10_000)).rejects.toMatchObject({ code: "TOO_LARGE" });
    expect(made).toBeLessThan(100);
    expect(endless.destroyed).toBe(true);
  });

  it("drops what nobody read, so that its sender can finish", async () => {
    const stream = Readable.from([utf8("a"), utf8("b")], { objectMode: false });
    await new WorkInput({ stream }, never()).close();
    await expect.poll(() => stream.readableEnded).toBe(true);
  });
});
