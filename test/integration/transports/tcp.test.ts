import { describe, test } from "vitest";
import { transportCompliance } from "../../../src/transports/compliance.ts";
import { TcpTransport } from "../../../src/transports/tcp.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { hasIpv6 } from "../../support/ipv6.ts";

describe("TcpTransport", () => {
  transportCompliance({
    test,
    setup: () => ({ transport: new TcpTransport(), url: parseMeshUrl("tcp://127.0.0.1:0"), ...(hasIpv6 && { url6: parseMeshUrl("tcp://[::1]:0") }) }),
  });
});
