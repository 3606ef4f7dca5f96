import { describe, test } from "vitest";
import { transportCompliance } from "../../../src/transports/compliance.ts";
import { MemoryHub } from "../../../src/transports/memory.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";

describe("MemoryHub", () => {
  transportCompliance({ test, setup: () => ({ transport: new MemoryHub(), url: parseMeshUrl("memory://node:0") }) });
});
