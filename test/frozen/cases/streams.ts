import { MeshError } from "../../../src/core/errors.ts";
import { CHUNK_AT } from "../../../src/delivery/frames.ts";
import { type Acknowledgement, decodeAcknowledgements, encodeAcknowledgements, readOffset } from "../../../src/wire/acknowledgement.ts";
import { FLAG, FRAME, ROUTED_HEADER } from "../../../src/wire/frame.ts";
import { concat } from "../../../src/core/bytes.ts";
import {
  endRecord,
  finishRecord,
  recordHead,
  RecordReader,
  type ResponseRecord,
  runningRecord,
  type WorkEnd,
} from "../../../src/wire/record.ts";
import { type Case, frozen, ID, plainErrors, REFUSAL, text } from "../case.ts";
import { routedCase } from "./routed.ts";

interface ChunkFacts {
  readonly offset: number;
  readonly fin: boolean;
  readonly flags: number;
  readonly generation: number;
  readonly bytes: Uint8Array;
}

function chunk(name: string, means: string, { offset, fin, flags, generation, bytes }: ChunkFacts): Case {
  return routedCase(
    [name, means],
    { kind: FRAME.data, flags: flags | (fin ? FLAG.fin : 0), auxiliary: generation },
    { offset, bytes },
    ({ out }, { to }) => out.sendChunk(to, ID, { offset, fin, bytes, from: 0, to: bytes.length, roomy: false }, flags, generation),
    (frame) => ({
      offset: readOffset(new DataView(frame.buffer, frame.byteOffset, frame.byteLength), ROUTED_HEADER),
      bytes: frame.slice(CHUNK_AT),
    }),
  );
}

const NOTHING: Acknowledgement = {
  id: ID,
  upward: false,
  gap: false,
  probed: false,
  done: false,
  detached: false,
  generation: 0,
  offset: 0,
  window: 0,
};

const ENTRIES: readonly Acknowledgement[] = [
  { ...NOTHING, offset: 0x1_0000_0002, window: 262_144, generation: 0x8003 },
  { ...NOTHING, upward: true },
  { ...NOTHING, gap: true },
  { ...NOTHING, probed: true },
  { ...NOTHING, done: true },
  { ...NOTHING, detached: true },
];

const acknowledgements = routedCase(
  ["ack", "credit for six streams in one frame, each flag in an entry of its own"],
  { kind: FRAME.ack },
  ENTRIES,
  ({ out }, address) => {
    const frame = encodeAcknowledgements(ENTRIES);
    out.address(frame, address);
    out.transmit(frame);
  },
  (frame) => {
    const found: Acknowledgement[] = [];
    decodeAcknowledgements(frame, 0, frame.length, (entry) => found.push(entry));
    return found;
  },
);

const END: WorkEnd = { state: "succeeded", responses: 3, exitCode: undefined, error: undefined };

/** A record of each type, in each of its forms. */
const RECORDS: Record<ResponseRecord["type"], readonly ResponseRecord[]> = {
  running: [{ type: "running" }],
  response: [
    { type: "response", content: "bytes", channel: undefined, payload: Uint8Array.of(0, 255) },
    { type: "response", content: "text", channel: "stdout", payload: text("zwölf") },
    { type: "response", content: "json", channel: undefined, payload: text('{"a":1}') },
  ],
  begin: [
    { type: "begin", content: "text", channel: "stderr", whole: false },
    { type: "begin", content: "json", channel: undefined, whole: true },
  ],
  chunk: [{ type: "chunk", payload: text("part") }],
  finish: [{ type: "finish" }],
  end: [
    { type: "end", end: END },
    { type: "end", end: { state: "failed", responses: 0, exitCode: 70_000, error: REFUSAL } },
    { type: "end", end: { state: "cancelled", responses: 1, exitCode: -1, error: new MeshError("CANCELLED", "enough") } },
  ],
};

function encodeRecord(record: ResponseRecord): Uint8Array {
  switch (record.type) {
    case "response":
      return concat([recordHead("response", record.content, record.channel, record.payload.length), record.payload]);
    case "begin":
      return recordHead("begin", record.content, record.channel, 0, record.whole).slice();
    case "chunk":
      return concat([recordHead("chunk", "bytes", undefined, record.payload.length), record.payload]);
    case "finish":
      return finishRecord();
    case "running":
      return runningRecord();
    case "end":
      return endRecord(record.end);
  }
}

function decodeRecord(bytes: Uint8Array): ResponseRecord {
  const found: ResponseRecord[] = [];
  new RecordReader().push(bytes, (record, size) => {
    if (size !== bytes.length) throw new RangeError(`a record of ${size} bytes in ${bytes.length}`);
    found.push(record);
  });
  const [record] = found;
  if (record === undefined) throw new RangeError("no whole record");
  return record;
}

export const STREAM_CASES: readonly Case[] = [
  chunk("data-up", "the last chunk of a payload", {
    offset: 0x1_0000_0002,
    fin: true,
    flags: FLAG.upward,
    generation: 0,
    bytes: text("payload"),
  }),
  chunk("data-down", "the first chunk of responses, which is a receipt too", {
    offset: 0,
    fin: false,
    flags: FLAG.accepted,
    generation: 0x8003,
    bytes: text("response"),
  }),
  chunk("data-probe", "an empty chunk that asks for an acknowledgement", {
    offset: 262_144,
    fin: false,
    flags: FLAG.probe,
    generation: 2,
    bytes: new Uint8Array(0),
  }),
  acknowledgements,
];

export const RECORD_CASES: readonly Case[] = Object.values(RECORDS).flatMap((forms) =>
  forms.map((record, at) =>
    frozen(
      `record-${record.type}${forms.length > 1 ? `-${at + 1}` : ""}`,
      `a record of a response stream: ${record.type}`,
      record,
      encodeRecord,
      decodeRecord,
      plainErrors,
    ),
  ),
);
