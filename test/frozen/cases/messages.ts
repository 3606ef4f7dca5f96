import type { MeshError } from "../../../src/core/errors.ts";
import { FLAG, FRAME } from "../../../src/wire/frame.ts";
import { encodeMetadata, layMessage, type MessageBody, readMessage } from "../../../src/wire/message.ts";
import {
  decodeError,
  decodeNotice,
  decodeReceipt,
  encodeError,
  encodeNotice,
  encodeReceipt,
  type Notice,
  type Receipt,
} from "../../../src/wire/outcome.ts";
import { type Case, EAST, REFUSAL, text, WEST } from "../case.ts";
import { bodyCase, routedCase, type To } from "./routed.ts";

const PLAIN: MessageBody = {
  sender: EAST,
  directive: "echo:run",
  headers: {},
  deadline: undefined,
  floor: 0x0102_0304,
  payload: text("hello mesh"),
};

function message(name: string, means: string, to: Omit<To, "kind">, body: MessageBody): Case {
  return routedCase(
    [name, means],
    { kind: FRAME.message, ...to },
    body,
    ({ out }, address) => {
      const frame = layMessage(encodeMetadata(body.sender, body.directive, body.headers), body);
      out.address(frame, address);
      out.transmit(frame);
    },
    (frame) => {
      const { payload, ...read } = readMessage(frame, 0, frame.length);
      return { ...read, headers: { ...read.headers }, payload: new Uint8Array(payload) };
    },
  );
}

const RECEIPTS: Record<Receipt["type"], Receipt> = {
  accepted: { type: "accepted" },
  refused: { type: "refused", error: REFUSAL },
  stale: { type: "stale", life: 0xfedc_ba98, resent: true },
  attached: { type: "attached", offset: 0x1_0000_0001, serial: 12, generation: 0x8003 },
  elsewhere: { type: "elsewhere", node: WEST },
};

const NOTICES: Record<Notice["type"], Notice> = {
  parked: { type: "parked", node: EAST, ttl: 299_999 },
  released: { type: "released", node: EAST, life: 0xfedc_ba98 },
  missing: { type: "missing", node: EAST, unsent: false },
  failed: { type: "failed", node: EAST, error: REFUSAL },
};

export const MESSAGE_CASES: readonly Case[] = [
  message("message", "a payload that travels in the message, bound to nothing", { ttl: 300_000 }, PLAIN),
  message(
    "message-headers",
    "with headers and a deadline",
    { ttl: 1, auxiliary: 0xfedc_ba98 },
    { ...PLAIN, deadline: 60_000, headers: { trace: "t-1", "Content-Type": "text/pläin" } },
  ),
  message(
    "message-durable",
    "a later copy of a durable message, bound to a store",
    { ttl: 0xffff_ffff, auxiliary: 0xfedc_ba98, flags: FLAG.durable | FLAG.resent },
    PLAIN,
  ),
  message(
    "message-streamed",
    "the payload follows as a stream, the work begins on confirm",
    { ttl: 300_000, flags: FLAG.streamed | FLAG.hold },
    { ...PLAIN, payload: new Uint8Array(0) },
  ),
  message("message-custody", "left to the node where it waits", { ttl: 300_000, flags: FLAG.custody }, PLAIN),
  ...Object.values(RECEIPTS).map((receipt) =>
    bodyCase([`receipt-${receipt.type}`, `a message is ${receipt.type}`], { kind: FRAME.receipt }, receipt, encodeReceipt, decodeReceipt),
  ),
  bodyCase<Receipt>(
    ["receipt-hold", "accepted, to begin on confirm"],
    { kind: FRAME.receipt, flags: FLAG.hold },
    RECEIPTS.accepted,
    encodeReceipt,
    decodeReceipt,
  ),
  ...Object.values(NOTICES).map((notice) =>
    bodyCase(
      [`notice-${notice.type}`, `a message is ${notice.type} on its way`],
      { kind: FRAME.notice },
      notice,
      encodeNotice,
      decodeNotice,
    ),
  ),
  bodyCase<MeshError>(["reset-down", "the origin is told that a stream is over"], { kind: FRAME.reset }, REFUSAL, encodeError, decodeError),
];
