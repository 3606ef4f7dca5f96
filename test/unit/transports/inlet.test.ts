import { describe, expect, test } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { Inlet } from "../../../src/transports/inlet.ts";

interface Seen {
  readonly events: string[];
  readonly inlet: Inlet;
  open(): void;
}

function watched(onData?: (inlet: Inlet) => void): Seen {
  const events: string[] = [];
  const inlet = new Inlet();
  const open = (): void =>
    inlet.open({
      onData(chunk) {
        events.push(Buffer.from(chunk).toString());
        onData?.(inlet);
      },
      onDrain: () => events.push("drain"),
      onClose: (error) => events.push(`close ${error?.code ?? "-"}`),
    });
  return { events, inlet, open };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const soon = (): Promise<void> => Promise.resolve().then(() => undefined);

describe("Inlet", () => {
  test("copies what comes before open, and delivers it later, before the close", async () => {
    const { events, inlet, open } = watched();
    const chunk = bytes("a");
    expect(inlet.take(chunk)).toBe(false);
    chunk[0] = 0;
    inlet.close(new MeshError("CONNECT_FAILED", "lost"));
    inlet.close();
    open();
    expect(events).toEqual([]);
    await soon();
    expect(events).toEqual(["a", "close CONNECT_FAILED"]);
  });

  test("keeps what comes while paused, asks the source to stop, and delivers in order on resume", async () => {
    const { events, inlet, open } = watched();
    open();
    inlet.pause();
    expect(inlet.take(bytes("a"))).toBe(false);
    inlet.take(bytes("b"));
    inlet.close();
    inlet.resume();
    expect(events).toEqual([]);
    await soon();
    expect(events).toEqual(["a", "b", "close -"]);
  });

  test("puts what comes between resume and delivery behind what was kept", async () => {
    const { events, inlet, open } = watched();
    open();
    inlet.pause();
    inlet.take(bytes("a"));
    inlet.resume();
    expect(inlet.take(bytes("b"))).toBe(true);
    await soon();
    inlet.take(bytes("c"));
    expect(events).toEqual(["a", "b", "c"]);
  });

  test("stops within what was kept where the reader pauses again", async () => {
    const { events, inlet, open } = watched((self) => self.pause());
    for (const text of ["a", "b"]) inlet.take(bytes(text));
    open();
    await soon();
    expect(events).toEqual(["a"]);
    inlet.resume();
    await soon();
    expect(events).toEqual(["a", "b"]);
  });

  test("drops what comes after discard, and asks for more of it, so that the end comes", () => {
    const { events, inlet, open } = watched();
    open();
    inlet.discard();
    expect(inlet.take(bytes("a"))).toBe(true);
    expect(events).toEqual([]);
  });

  test("drops what was kept at discard, and closes without waiting for a resume", async () => {
    const { events, inlet, open } = watched();
    open();
    inlet.pause();
    inlet.take(bytes("a"));
    inlet.close();
    inlet.discard();
    await soon();
    inlet.take(bytes("b"));
    inlet.drain();
    expect(events).toEqual(["close -"]);
  });
});
