import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { isMessageId, type MessageId, messageId } from "../../../src/core/ids.ts";
import { readMessageId, writeMessageId } from "../../../src/wire/message-id.ts";

describe("readMessageId and writeMessageId", () => {
  it("give back every 16 bytes, as a valid id, at any place", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(20), (bytes, at) => {
        const source = new Uint8Array(at + 16);
        source.set(bytes, at);
        const id = readMessageId(source, at);
        expect(isMessageId(id)).toBe(true);
        const target = new Uint8Array(at + 17).fill(0xee);
        writeMessageId(target, at, id);
        expect(target.subarray(at, at + 16)).toEqual(bytes);
        expect(target[at + 16]).toBe(0xee);
      }),
    );
  });

  it("give back every text", () => {
    fc.assert(
      fc.property(fc.uuid(), (text) => {
        const bytes = new Uint8Array(16);
        writeMessageId(bytes, 0, messageId(text));
        expect(readMessageId(bytes, 0)).toBe(text);
      }),
    );
  });

  it("write the digits in the order that they are read", () => {
    const bytes = new Uint8Array(16);
    writeMessageId(bytes, 0, "0190163d-8694-739b-aea5-966c26f8ad91" as MessageId);
    expect(Buffer.from(bytes).toString("hex")).toBe("0190163d8694739baea5966c26f8ad91");
  });
});
