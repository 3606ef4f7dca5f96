import { describe, expect, test, vi } from "vitest";
import * as websockets from "ws";
import { transportCompliance } from "../../../src/transports/compliance.ts";
import { TlsSettings } from "../../../src/transports/tls-settings.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { WsTransport } from "../../../src/transports/ws.ts";

vi.mock("ws", async (load) => {
  const { Sender: _, ...others } = await load<Record<string, unknown>>();
  return others;
});

describe("WsTransport with a version of `ws` that does not show what it makes frames with", () => {
  test("is what is tested here", () => {
    expect("Sender" in websockets).toBe(false);
  });

  transportCompliance({
    test,
    setup: () => ({ transport: new WsTransport(new TlsSettings({})), url: parseMeshUrl("ws://127.0.0.1:0"), handshake: true }),
  });
});
