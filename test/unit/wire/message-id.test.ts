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

  it("are right for ids in any order, also for those of several lanes and with counters that end alike", () => {
    const lanes = ["0190163d-8694-839b-aea5-966c", "0190163d-8694-839b-aea5-966d", "ffffffff-ffff-8fff-bfff-ffff"];
    const counter = fc.constantFrom(0, 1, 0x3ff, 0x400, 0x401, 0x7ff, 0xffff_fc00, 0xffff_ffff);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...lanes), counter, fc.boolean()), { maxLength: 40 }), (steps) => {
        for (const [lane, count, written] of steps) {
          const text = `${lane}${count.toString(16).padStart(8, "0")}`;
          const bytes = new Uint8Array(Buffer.from(text.replaceAll("-", ""), "hex"));
          const target = new Uint8Array(16);
          if (written) writeMessageId(target, 0, text as MessageId);
          expect(readMessageId(bytes, 0)).toBe(text);
          if (!written) writeMessageId(target, 0, text as MessageId);
          expect(target).toEqual(bytes);
        }
      }),
      { numRuns: 300 },
    );
  });
});
