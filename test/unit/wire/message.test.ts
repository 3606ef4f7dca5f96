import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/core/bytes.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { encodeMetadata, layMessage, readMessage } from "../../../src/wire/message.ts";
import { endRecord, RecordReader, type WorkEnd } from "../../../src/wire/record.ts";

function message(sender: string, directive: string, headers: Record<string, string> = {}): Uint8Array {
  return layMessage(encodeMetadata(nodeId(sender), directive, headers), { deadline: undefined, floor: 7, payload: utf8(directive) });
}

function read(frame: Uint8Array): ReturnType<typeof readMessage> {
  return readMessage(frame, 0, frame.length);
}

describe("readMessage", () => {
  it("tells senders, directives and headers apart, in any order and as often as they come", () => {
    const senders = ["a", "b", "controller-0123456789"];
    const directives = ["echo:run", "echo:sun", "sleep:run"];
    for (let round = 0; round < 3; round++) {
      for (const sender of senders) {
        for (const directive of directives) {
          const plain = read(message(sender, directive));
          expect(plain).toMatchObject({ sender, directive, headers: {}, floor: 7, payload: utf8(directive) });
          expect(read(message(sender, directive, { round: `${round}` })).headers).toEqual({ round: `${round}` });
        }
      }
    }
  });

  it("gives headers that nobody can change for the next message", () => {
    expect(Object.isFrozen(read(message("a", "echo:run")).headers)).toBe(true);
    expect(Object.isFrozen(read(message("a", "echo:run", { one: "1" })).headers)).toBe(true);
  });

  it("refuses a directive of more than 256 characters", () => {
    const long = (length: number): string => `echo:${"x".repeat(length - 5)}`;
    expect(read(message("a", long(256))).directive).toHaveLength(256);
    expect(() => read(message("a", long(257)))).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
  });

  it("refuses again what it refused before", () => {
    const frame = message("a", "echo:run");
    frame[60] = 0xc1;
    for (let round = 0; round < 2; round++) expect(() => read(frame)).toThrow(MeshError);
  });
});

describe("endRecord", () => {
  function roundTrip(end: WorkEnd): WorkEnd | undefined {
    let found: WorkEnd | undefined;
    new RecordReader().push(endRecord(end), (record) => {
      if (record.type === "end") found = record.end;
    });
    return found;
  }

  it("is read as it was written, whatever was written and read before", () => {
    const failed = new MeshError("WORK_FAILED", "no");
    for (let round = 0; round < 2; round++) {
      for (const responses of [0, 1, 2, 1, 15, 16, 1_000_000, 1]) {
        for (const exitCode of [undefined, 0, 3]) {
          expect(roundTrip({ state: "succeeded", responses, exitCode, error: undefined })).toMatchObject({
            state: "succeeded",
            responses,
            exitCode,
          });
          expect(roundTrip({ state: "cancelled", responses, exitCode, error: undefined })).toMatchObject({
            state: "cancelled",
            responses,
            exitCode,
          });
          expect(roundTrip({ state: "failed", responses, exitCode, error: failed })).toMatchObject({
            state: "failed",
            responses,
            exitCode,
            error: { code: "WORK_FAILED" },
          });
        }
      }
    }
  });
});
