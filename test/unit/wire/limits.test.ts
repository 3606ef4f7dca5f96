import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { decodeAdvertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { ROUTED_HEADER } from "../../../src/wire/frame.ts";
import { recordHead, RecordReader } from "../../../src/wire/record.ts";
import { decodeOffer, encodeOffer, readSealedParts, sealedTextAt, writeSealedPrefix } from "../../../src/wire/sealed.ts";
import { advertisement } from "../../integration/hostile/advertise.ts";

// The numbers of docs/limits.md, as the other side of the wire has them.
const KiB = 1_024;
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);

describe("a record of a response stream", () => {
  it("may have 64 KiB; a longer one is refused by its length alone", () => {
    const head = (length: number): Uint8Array => recordHead("response", "bytes", undefined, length);
    const read = (length: number): void => new RecordReader().push(head(length), () => undefined);
    expect(() => read(64 * KiB)).not.toThrow();
    expect(() => read(64 * KiB + 1)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
  });
});

describe("a certificate", () => {
  it("may have 4 KiB in an advertisement", () => {
    const read = (length: number): number | undefined => {
      const credentials = { certificate: bytes(length), sealingKey: bytes(32) };
      const raw = encodeAdvertisement(advertisement("a", { credentials }));
      return decodeAdvertisement(new Uint8Array([...raw, ...bytes(64)])).credentials?.certificate.length;
    };
    expect(read(4 * KiB)).toBe(4 * KiB);
    expect(() => read(4 * KiB + 1)).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
  });

  it("may have 4 KiB in the session of a sealed frame", () => {
    const offer = { sender: nodeId("a"), encapsulated: bytes(32), created: 1, hash: bytes(32), signature: bytes(64) };
    const read = (length: number): unknown => decodeOffer(encodeOffer({ ...offer, certificate: bytes(length) })).certificate;
    expect(read(4 * KiB)).toHaveLength(4 * KiB);
    expect(() => read(4 * KiB + 1)).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
  });
});

describe("the session of a sealed frame", () => {
  it("may have 6 KiB", () => {
    const read = (length: number): number => {
      const frame = new Uint8Array(sealedTextAt(length) + ROUTED_HEADER);
      const view = new DataView(frame.buffer);
      writeSealedPrefix(frame, view, { session: bytes(8), heard: 0, ttl: 0, offer: bytes(length) });
      const { offerAt, nonceAt } = readSealedParts(view, 0, frame.length);
      return nonceAt - offerAt;
    };
    expect(read(6 * KiB)).toBe(6 * KiB);
    expect(() => read(6 * KiB + 1)).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
  });
});
