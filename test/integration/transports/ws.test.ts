import { describe, test } from "vitest";
import { transportCompliance } from "../../../src/transports/compliance.ts";
import { TlsSettings } from "../../../src/transports/tls.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { WsTransport } from "../../../src/transports/ws.ts";
import { hasIpv6 } from "../../support/ipv6.ts";

describe("WsTransport", () => {
  transportCompliance({
    test,
    setup: () => ({
      transport: new WsTransport(new TlsSettings({})),
      url: parseMeshUrl("ws://127.0.0.1:0"),
      handshake: true,
      ...(hasIpv6 && { url6: parseMeshUrl("ws://[::1]:0") }),
    }),
  });
});
