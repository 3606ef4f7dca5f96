import { describe, expect, it } from "vitest";
import { concat, utf8 } from "../../../src/core/bytes.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { messageId, nodeId } from "../../../src/core/ids.ts";
import type { Response } from "../../../src/node/api.ts";
import { SentWork } from "../../../src/node/sending/sent-work.ts";
import { endRecord, finishRecord, recordHead } from "../../../src/wire/record.ts";

const ID = messageId("00000000-0000-8000-8000-000000000001");

/** A work at another node, and how many bytes of its responses count as read. */
function sent(): { work: SentWork; read: () => number } {
  let read = 0;
  const port = { consumed: (_: string, count: number) => void (read += count), cancel: () => undefined, forget: () => undefined };
  const work = new SentWork(ID, nodeId("worker"), "test:run", 0, port);
  return { work, read: () => read };
}

function response(text: string): Uint8Array {
  const payload = utf8(text);
  return concat([recordHead("response", "text", undefined, payload.length), payload]);
}

const end = (responses: number) => endRecord({ state: "succeeded", responses, exitCode: undefined, error: undefined });

describe("SentWork: reading its responses", () => {
  it("gives each to whoever asked first, also where it was asked for before it came", async () => {
    const { work, read } = sent();
    const [one, other] = [work[Symbol.asyncIterator](), work[Symbol.asyncIterator]()];
    const asked = [one.next(), other.next(), one.next(), one.next()];
    work.onBytes(concat([response("a"), response("b"), response("c")]));
    work.onBytes(end(3));
    const [a, b, c, last] = await Promise.all(asked);
    expect([a, b, c].map((result) => (result?.value as { text(): string } | undefined)?.text())).toEqual(["a", "b", "c"]);
    expect([last?.done, (await other.next()).done]).toEqual([true, true]);
    expect(read()).toBe(3 * response("a").length + end(3).length);
  });

  it("fails once where the work does, to who waits and to who asks later, and then is over", async () => {
    const { work } = sent();
    const [waiting, late] = [work[Symbol.asyncIterator](), work[Symbol.asyncIterator]()];
    const asked = [waiting.next(), waiting.next()];
    work.onFailed(new MeshError("EXPIRED", "too late"));
    await expect(asked[0]).rejects.toThrow("too late");
    await expect(asked[1]).resolves.toMatchObject({ done: true });
    await expect(late.next()).rejects.toThrow("too late");
    await expect(late.next()).resolves.toMatchObject({ done: true });
  });

  it("leaves what comes to others once a reader has stopped, and counts as read only what was taken", async () => {
    const { work, read } = sent();
    const [one, other] = [work[Symbol.asyncIterator](), work[Symbol.asyncIterator]()];
    const asked = one.next();
    await one.return?.();
    work.onBytes(response("a"));
    await expect(asked).resolves.toMatchObject({ done: true });
    expect(read()).toBe(0);
    expect(((await other.next()).value as { text(): string }).text()).toBe("a");
    expect(read()).toBe(response("a").length);
  });

  it("tells its events from the first also to who asks when it is over", async () => {
    const { work } = sent();
    work.onParked(nodeId("relay"), 5);
    work.onAccepted(nodeId("worker"));
    work.onBytes(end(0));
    const types: string[] = [];
    for await (const event of work.events()) types.push(event.type);
    expect(types).toEqual(["sent", "parked", "accepted", "end"]);
    await expect(work.accepted()).resolves.toBe(work);
  });
});

describe("SentWork.forEach", () => {
  const text = (response: Response): string => response.text();

  it("hands over what has come and what comes, and resolves as the work ended", async () => {
    const { work, read } = sent();
    const had: string[] = [];
    work.onBytes(response("a"));
    const all = work.forEach((one) => void had.push(text(one)));
    work.onBytes(concat([response("b"), response("c")]));
    await Promise.resolve();
    work.onBytes(end(3));
    expect(await all).toEqual({ state: "succeeded", responses: 3, exitCode: undefined });
    expect(had).toEqual(["a", "b", "c"]);
    expect(read()).toBe(3 * response("a").length + end(3).length);
  });

  it("waits for the promise that it is given before the next one", async () => {
    const { work, read } = sent();
    const had: string[] = [];
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    work.onBytes(concat([response("a"), response("b"), end(2)]));
    const all = work.forEach((one) => {
      had.push(text(one));
      return gate;
    });
    await new Promise(setImmediate);
    expect(had).toEqual(["a"]);
    expect(read()).toBe(end(2).length);
    go();
    await all;
    expect(had).toEqual(["a", "b"]);
  });

  it("rejects with what was thrown, and leaves the rest to others", async () => {
    const { work, read } = sent();
    work.onBytes(concat([response("a"), response("b")]));
    await expect(work.forEach(() => fail("enough"))).rejects.toThrow("enough");
    expect(read()).toBe(response("a").length);
    expect(((await work[Symbol.asyncIterator]().next()).value as Response).text()).toBe("b");
  });

  it("drops a streamed response that was not taken, also where it stops there: others get what is behind it", async () => {
    const { work, read } = sent();
    const [begin, chunk] = [recordHead("begin", "bytes", undefined, 0).slice(), recordHead("chunk", "bytes", undefined, 5).slice()];
    const streamed = concat([begin, chunk, utf8("hello"), finishRecord()]);
    work.onBytes(concat([streamed, response("b")]));
    await expect(work.forEach(() => fail("enough"))).rejects.toThrow("enough");
    expect(read()).toBe(streamed.length);
  });

  it("rejects with the work's failure", async () => {
    const { work } = sent();
    const all = work.forEach(() => undefined);
    work.onFailed(new MeshError("EXPIRED", "too late"));
    await expect(all).rejects.toThrow("too late");
  });

  it("rejects with ABORTED before, between, while it waits for more and while its program works", async () => {
    const cases = [
      (work: SentWork, signal: AbortSignal) => work.forEach(() => undefined, { signal }),
      (work: SentWork, signal: AbortSignal) => work.forEach(() => new Promise(() => undefined), { signal }),
    ];
    for (const read of cases) {
      const { work } = sent();
      const stop = new AbortController();
      work.onBytes(response("a"));
      const all = read(work, stop.signal);
      await new Promise(setImmediate);
      stop.abort();
      await expect(all).rejects.toMatchObject({ code: "ABORTED" });
      await expect(read(work, stop.signal)).rejects.toMatchObject({ code: "ABORTED" });
    }
    const { work } = sent();
    const stop = new AbortController();
    let had = 0;
    work.onBytes(concat([response("a"), response("b")]));
    const all = work.forEach(
      () => {
        had++;
        stop.abort();
      },
      { signal: stop.signal },
    );
    await expect(all).rejects.toMatchObject({ code: "ABORTED" });
    expect(had).toBe(1);
  });
});

function fail(message: string): never {
  throw new Error(message);
}
