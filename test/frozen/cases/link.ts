import type { MeshError } from "../../../src/core/errors.ts";
import { linkFrame } from "../../../src/link/shared-frame.ts";
import { decodeDenied, encodeDenied } from "../../../src/wire/denied.ts";
import { FLAG, FRAME, LINK_HEADER, OFFSET } from "../../../src/wire/frame.ts";
import {
  decodeGoodbye,
  decodeHello,
  decodeKeepalive,
  encodeGoodbye,
  encodeHello,
  encodeKeepalive,
  type Greeting,
} from "../../../src/wire/greeting.ts";
import { FrameParser } from "../../../src/wire/parser.ts";
import { type Case, EAST, frozen, plainErrors, REFUSAL, text } from "../case.ts";

/** A case of a frame between the two ends of a link. */
export function linkCase<T>(
  [name, means]: readonly [string, string],
  kind: number,
  value: T,
  encode: (value: T) => Uint8Array,
  decode: (body: Uint8Array) => T,
  flags = 0,
): Case {
  return frozen(
    name,
    means,
    { kind, flags, value },
    () => linkFrame(kind, flags, encode(value)),
    (bytes) => {
      const frame = parsed(bytes);
      return { kind: frame[OFFSET.kind] ?? 0, flags: frame[OFFSET.flags] ?? 0, value: decode(frame.subarray(LINK_HEADER)) };
    },
    plainErrors,
  );
}

/** The one frame that a parser finds in `bytes`. */
export function parsed(bytes: Uint8Array): Uint8Array {
  const frames: Uint8Array[] = [];
  new FrameParser((chunk, _view, start, end) => frames.push(chunk.slice(start, end))).push(bytes);
  const [frame] = frames;
  if (frame === undefined || frames.length > 1) throw new RangeError(`${frames.length} frames where there is one`);
  return frame;
}

const GREETING: Greeting = {
  node: EAST,
  instance: "0123456789abcdeffedcba9876543210",
  versionMajor: 1,
  versionMinor: 0,
  version: "0.1.0",
  ephemeral: false,
  leaf: false,
  cost: 1,
  capabilities: [],
};

export const LINK_CASES: readonly Case[] = [
  linkCase(["hello", "the greeting of an ordinary node"], FRAME.hello, GREETING, encodeHello, decodeHello),
  linkCase(
    ["hello-full", "a greeting with every optional field"],
    FRAME.hello,
    {
      ...GREETING,
      ephemeral: true,
      leaf: true,
      cost: 2.5,
      capabilities: ["zip", "e2e/1"],
      critical: ["zip"],
      listening: ["tcp://10.0.0.1:7100", "ws://example.org/mesh"],
      uptime: 86_400_000.25,
    },
    encodeHello,
    decodeHello,
  ),
  linkCase(["keepalive", "a sign of life; the first one admits the peer"], FRAME.keepalive, 1_234.5, encodeKeepalive, decodeKeepalive),
  linkCase(
    ["keepalive-reply", "the answer to a sign of life, with its body"],
    FRAME.keepalive,
    1_234.5,
    encodeKeepalive,
    decodeKeepalive,
    FLAG.reply,
  ),
  linkCase<MeshError | undefined>(
    ["goodbye", "the link is closed, and nothing is wrong"],
    FRAME.goodbye,
    undefined,
    encodeGoodbye,
    decodeGoodbye,
  ),
  linkCase<MeshError | undefined>(
    ["goodbye-error", "the link is closed for a reason"],
    FRAME.goodbye,
    REFUSAL,
    encodeGoodbye,
    decodeGoodbye,
  ),
  linkCase(
    ["denied", "the number of the list of revoked certificates that the sender has"],
    FRAME.denied,
    { number: 1_763_733_000, list: new Uint8Array(0) },
    encodeDenied,
    decodeDenied,
  ),
  linkCase(
    ["denied-list", "a list of revoked certificates, of which nothing is signed here"],
    FRAME.denied,
    {
      number: 1_763_733_000,
      list: text(
        '{"mesh":"00112233aabbccdd","number":1763733000,"nodes":[["east-1",1763733000,1771509001]],"serials":[["0AFF",1771509001]]}\nc2lnbmF0dXJl\n',
      ),
    },
    encodeDenied,
    decodeDenied,
  ),
];
