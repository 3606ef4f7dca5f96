import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { MeshError } from "../../../../src/core/errors.ts";
import {
  errorMessage,
  factsMessage,
  readFacts,
  readLog,
  readMessage,
  readOutcome,
  readResponseHead,
  responseHead,
  toJson,
} from "../../../../src/plugin/isolated/messages.ts";

const refused = expect.objectContaining({ code: expect.stringMatching(/PROTOCOL_ERROR|PLUGIN_INVALID/) });

describe("what a plugin's process says", () => {
  it("is a value, or is refused, whatever its bytes are", () => {
    const readers = [(data: Uint8Array) => readFacts(data, "it"), readOutcome, readLog, readMessage, readResponseHead];
    const json = fc.json().map(utf8);
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), json), (data) => {
        for (const read of readers) {
          try {
            read(data);
          } catch (error) {
            expect(error).toEqual(refused);
          }
        }
      }),
    );
  });

  it("pollutes no prototype", () => {
    const text =
      '{"__proto__":{"bad":1},"level":"info","message":"m","fields":{"__proto__":{"bad":1},"a":{"__proto__":{"bad":1}}},"error":{"code":"BUSY","message":"m","data":{"__proto__":"bad"}}}';
    readLog(utf8(text));
    const { error } = readOutcome(utf8(text));
    expect(Reflect.get({}, "bad")).toBeUndefined();
    expect(Object.getPrototypeOf(error?.data)).toBe(Object.prototype);
  });

  it("is cut where it is too deep for a stack", () => {
    const deep = `{"level":"info","message":"m","fields":{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}}`;
    expect(JSON.stringify(readLog(utf8(deep)).fields).length).toBeLessThan(100);
  });
});

describe("readFacts", () => {
  it("takes what factsMessage wrote, with actions that cannot be called here", async () => {
    const run = async (): Promise<string> => "x";
    const facts = readFacts(
      factsMessage({ name: "it", concurrency: 3, actions: { run, slow: { run, idempotent: true, deadline: 5 } } }),
      "it",
    );
    expect(facts).toMatchObject({ name: "it", concurrency: 3, actions: { run: {}, slow: { idempotent: true, deadline: 5 } } });
    expect(facts.options).toBeUndefined();
  });

  it.each([
    [{ name: "Bad Name", actions: { run: {} } }],
    [{ name: "it", actions: {} }],
    [{ name: "it", actions: [] }],
    [{ name: "it", actions: { "r n": {} } }],
    [{ name: "it", actions: { run: { deadline: -1 } } }],
    [{ name: "it", actions: { run: 7 } }],
    [{ name: "it", actions: Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`a${at}`, {}])) }],
  ])("refuses %j", (facts) => expect(() => readFacts(toJson(facts), "it")).toThrow(refused));
});

describe("readOutcome", () => {
  it("takes what errorMessage wrote", () => {
    const error = new MeshError("TOO_LARGE", "m", { data: { limit: 5, list: ["a"], yes: true, text: "t" } });
    const read = readOutcome(errorMessage({ error, exitCode: 3 }));
    expect(read.exitCode).toBe(3);
    expect(read.error).toMatchObject({ code: "TOO_LARGE", message: "m", data: { limit: 5, list: ["a"], yes: true, text: "t" } });
    expect(readOutcome(errorMessage({}))).toEqual({});
  });

  it("takes no code but ours, and no more than so much of anything", () => {
    const said = (error: object): Uint8Array => toJson({ error });
    expect(() => readOutcome(said({ code: "NONE_OF_OURS", message: "m" }))).toThrow(refused);
    expect(() => readOutcome(said({ code: "toString", message: "m" }))).toThrow(refused);
    const data = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`k${at}`, { not: "flat" }]));
    const { error } = readOutcome(said({ code: "BUSY", message: "m".repeat(9_000), data: { text: "t".repeat(9_000), ...data } }));
    expect([error?.message.length, Object.keys(error?.data ?? {}), String(error?.data["text"]).length]).toEqual([2_000, ["text"], 2_000]);
  });
});

describe("readResponseHead", () => {
  it("takes what responseHead wrote", () => {
    for (const content of ["bytes", "text", "json", undefined] as const) {
      for (const channel of [undefined, "stderr"]) {
        const data = Buffer.concat([responseHead({ content, channel }), utf8("payload")]);
        const { head, payload } = readResponseHead(data);
        expect([head, Buffer.from(payload).toString()]).toEqual([{ content, channel }, "payload"]);
      }
    }
  });

  it.each([
    [[]],
    [[0]],
    [[4, 0]],
    [[255, 0]],
    [[0, 1]],
    [[0, 3, 65, 65, 65]],
    [[0, 2, 0xff, 0xfe]],
    [[0, 33, ...new Array<number>(33).fill(97)]],
  ])("refuses %j", (bytes) => {
    expect(() => readResponseHead(Uint8Array.from(bytes))).toThrow(refused);
  });
});
