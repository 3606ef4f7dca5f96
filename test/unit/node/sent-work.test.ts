import { describe, expect, it } from "vitest";
import { concat, utf8 } from "../../../src/core/bytes.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { messageId, nodeId } from "../../../src/core/ids.ts";
import { SentWork } from "../../../src/node/sending/sent-work.ts";
import { endRecord, recordHead } from "../../../src/wire/record.ts";

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
