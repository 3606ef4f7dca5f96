import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { MeshError } from "../../../../src/core/errors.ts";
import type { Context, Input } from "../../../../src/plugin/definition.ts";
import { BOUNDS, countBytes, KIND, type Kind, readCount } from "../../../../src/plugin/isolated/frames.ts";
import { errorMessage, readOutcome, responseHead } from "../../../../src/plugin/isolated/messages.ts";
import { RemoteWork } from "../../../../src/plugin/isolated/remote-work.ts";

const KINDS = new Map<number, string>(Object.entries(KIND).map(([name, kind]) => [kind, name]));

interface Bench {
  readonly work: RemoteWork;
  /** Names of the frames that the node sent. */
  readonly sent: { readonly kind: string; readonly data: Uint8Array }[];
  readonly abort: AbortController;
  /** What the process says. */
  say(kind: Kind, ...data: Uint8Array[]): void;
}

function open(): Bench {
  const abort = new AbortController();
  const context = { id: "1", action: "run", sender: "c", headers: {}, signal: abort.signal } as Partial<Context> as Context;
  const work = new RemoteWork(context, 60_000);
  return { work, sent: [], abort, say: (kind, ...data) => work.onFrame({ kind, work: 1, data: Buffer.concat(data) }) };
}

async function begun(input: Partial<Input> = { length: 2, bytes: async () => utf8("hi") }): Promise<Bench> {
  const bench = open();
  const send = (kind: Kind, ...data: Uint8Array[]): void =>
    void bench.sent.push({ kind: KINDS.get(kind) ?? "?", data: Buffer.concat(data) });
  await bench.work.begin({ send, overdue: () => undefined }, input as Input);
  return bench;
}

const HEAD = responseHead({ content: "text", channel: undefined });
const STREAM = responseHead({ content: undefined, channel: undefined });
const protocolError = expect.objectContaining({ code: "PROTOCOL_ERROR" });

describe("RemoteWork", () => {
  it("sends a small payload with the order, and hands responses over in their order", async () => {
    const { work, sent, say } = await begun();
    expect(sent.map(({ kind }) => kind)).toEqual(["work"]);
    expect(Buffer.from(sent[0]?.data ?? []).toString()).toMatch(/"inline":true\}hi$/);
    say(KIND.respond, HEAD, utf8("one"));
    say(KIND.respond, HEAD, utf8("two"));
    say(KIND.ended, errorMessage({}));
    const one = await work.next();
    const two = await work.next();
    expect([one.value?.payload, two.value?.payload]).toEqual([Buffer.from("one"), Buffer.from("two")]);
    expect((await work.next()).done).toBe(true);
  });

  it("gives room only for what was taken", async () => {
    const { work, sent, say } = await begun();
    const payload = new Uint8Array(BOUNDS.piece);
    const cost = payload.length + BOUNDS.overhead;
    for (let at = 0; at < 8; at++) say(KIND.respond, HEAD, payload);
    expect(sent).toHaveLength(1);
    await work.next();
    expect(sent).toHaveLength(1);
    await work.next();
    await work.next();
    const credits = sent.slice(1).map(({ kind, data }) => [kind, readCount(data)]);
    expect(credits).toEqual([["credit", 2 * cost]]);
  });

  it("refuses what comes beyond the window, of responses, of chunks, and of empty ones", async () => {
    const beyond = expect.objectContaining({ code: "TOO_LARGE" });
    const whole = await begun();
    const empty = await begun();
    const say = (bench: Bench, kind: Kind, ...data: Uint8Array[]): void => {
      for (let at = 0; at < 100_000; at++) bench.say(kind, ...data);
    };
    expect(() => say(whole, KIND.respond, HEAD, new Uint8Array(30_000))).toThrow(beyond);
    expect(() => say(empty, KIND.respond, HEAD)).toThrow(beyond);
    const streamed = await begun();
    streamed.say(KIND.begin, STREAM);
    expect(() => say(streamed, KIND.chunk, new Uint8Array(30_000))).toThrow(beyond);
  });

  it.each<[string, (bench: Bench) => void]>([
    ["a chunk of no response", ({ say }) => say(KIND.chunk, Uint8Array.of(1))],
    ["an end of no response", ({ say }) => say(KIND.finish)],
    ["a response inside of another", ({ say }) => [say(KIND.begin, STREAM), say(KIND.respond, HEAD)]],
    ["a stream inside of another", ({ say }) => [say(KIND.begin, STREAM), say(KIND.begin, STREAM)]],
    ["a stream that begins with bytes", ({ say }) => say(KIND.begin, STREAM, Uint8Array.of(1))],
    ["an empty chunk", ({ say }) => [say(KIND.begin, STREAM), say(KIND.chunk)]],
    ["an end inside of a response", ({ say }) => [say(KIND.begin, STREAM), say(KIND.ended, errorMessage({}))]],
    ["a word after its end", ({ say }) => [say(KIND.ended, errorMessage({})), say(KIND.respond, HEAD)]],
    ["a second end", ({ say }) => [say(KIND.ended, errorMessage({})), say(KIND.ended, errorMessage({}))]],
    ["more taken than was sent", ({ say }) => say(KIND.taken, countBytes(1))],
    ["what only a node says", ({ say }) => say(KIND.work, HEAD)],
    ["a kind that there is not", ({ work }) => work.onFrame({ kind: 200, work: 1, data: HEAD })],
  ])("refuses %s", async (_, say) => {
    const bench = await begun();
    expect(() => say(bench)).toThrow(protocolError);
  });

  it("sends a payload on at the pace that it is taken", async () => {
    let made = 0;
    const stream = new Readable({ read: () => undefined, highWaterMark: 1 });
    const { sent, say } = await begun({ stream: () => stream });
    for (; !stream.isPaused() && made < 2 ** 20; made += 20_000) {
      stream.push(Buffer.alloc(20_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(made).toBeLessThanOrEqual(BOUNDS.window + 20_000);
    say(KIND.taken, countBytes(made - 5));
    expect(stream.isPaused()).toBe(false);
    stream.push(null);
    await expect.poll(() => sent.at(-1)?.kind).toBe("payloadEnd");
    expect(sent.filter(({ kind }) => kind === "payload").every(({ data }) => data.length <= BOUNDS.piece)).toBe(true);
  });

  it("tells the process to stop with the signal's reason, takes no more, and is over when the process says so", async () => {
    const { work, sent, say, abort } = await begun();
    const waiting = work.next();
    abort.abort(new MeshError("DEADLINE_EXCEEDED", "late"));
    let over = false;
    const returned = work.return().then(() => (over = true));
    expect((await waiting).done).toBe(true);
    expect(readOutcome(sent.at(-1)?.data ?? HEAD).error).toMatchObject({ code: "DEADLINE_EXCEEDED", message: "late" });
    say(KIND.respond, HEAD, utf8("late"));
    say(KIND.begin, STREAM);
    say(KIND.chunk, new Uint8Array(10));
    await Promise.resolve();
    expect(over).toBe(false);
    say(KIND.ended, errorMessage({ error: new MeshError("CANCELLED", "x") }));
    await returned;
  });

  it("fails with the reason when its process is gone, after what had come", async () => {
    const { work, say } = await begun();
    say(KIND.respond, HEAD, utf8("one"));
    work.gone(new MeshError("WORK_FAILED", "it crashed"));
    expect((await work.next()).done).toBe(false);
    await expect(work.next()).rejects.toMatchObject({ message: "it crashed" });
  });

  it("breaks a stream off when its process is gone", async () => {
    const { work, say } = await begun();
    say(KIND.begin, STREAM);
    const { value } = await work.next();
    const stream = value?.payload;
    if (!(stream instanceof Readable)) throw new Error("no stream");
    const read = stream.toArray();
    say(KIND.chunk, new Uint8Array(10));
    work.gone(new MeshError("WORK_FAILED", "it crashed"));
    await expect(read).rejects.toMatchObject({ message: "it crashed" });
  });

  it("keeps the exit status of what failed", async () => {
    const { work, say } = await begun();
    say(KIND.ended, errorMessage({ error: new MeshError("WORK_FAILED", "m"), exitCode: 7 }));
    await expect(work.next()).rejects.toMatchObject({ code: "WORK_FAILED", exitCode: 7 });
  });

  it("is over at once where it was stopped before it began, and sends nothing", async () => {
    const { work, sent } = open();
    await work.return();
    await work.begin({ send: () => void sent.push({ kind: "?", data: HEAD }), overdue: () => undefined }, {
      length: 0,
      bytes: async () => HEAD,
    } as Partial<Input> as Input);
    expect(sent).toEqual([]);
  });
});
