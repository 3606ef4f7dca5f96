import { concat } from "../../../src/core/bytes.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { FLAG, FRAME, OFFSET, ROUTED_HEADER, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { writeMessageId } from "../../../src/wire/message-id.ts";
import {
  decodeOffer,
  encodeOffer,
  readSealedParts,
  SEALED,
  type SessionOffer,
  sealedTextAt,
  writeSealedPrefix,
} from "../../../src/wire/sealed.ts";
import { type Case, EAST, frozen, ID, text, WEST } from "../case.ts";
import { parsed } from "./link.ts";
import { routedCase } from "./routed.ts";

interface Sealed {
  readonly kind: number;
  readonly flags: number;
  readonly heard: number;
  readonly ttl: number;
  readonly offer: SessionOffer | undefined;
  readonly session: Uint8Array;
  readonly nonce: Uint8Array;
  /** With its tag. */
  readonly sealed: Uint8Array;
}

function lay({ kind, flags, heard, ttl, offer, session, nonce, sealed }: Sealed): Uint8Array {
  const said = offer === undefined ? new Uint8Array(0) : encodeOffer(offer);
  const textAt = sealedTextAt(said.length);
  const frame = new Uint8Array(textAt + sealed.length);
  const view = new DataView(frame.buffer);
  const [source, destination] = [hashNodeId(EAST), hashNodeId(WEST)];
  writeRoutedHeader(view, 0, frame.length, {
    kind,
    flags,
    hops: 0,
    destinationHigh: destination.high,
    destinationLow: destination.low,
    sourceHigh: source.high,
    sourceLow: source.low,
    ttl,
    auxiliary: 0,
  });
  writeMessageId(frame, OFFSET.id, ID);
  writeSealedPrefix(frame, view, { session, heard, ttl, offer: said });
  frame.set(nonce, textAt - SEALED.nonce);
  frame.set(sealed, textAt);
  return frame;
}

function read(bytes: Uint8Array): Sealed {
  const frame = parsed(bytes);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const { heard, ttl, offerAt, nonceAt, textAt } = readSealedParts(view, 0, frame.length);
  return {
    kind: view.getUint8(OFFSET.kind),
    flags: view.getUint8(OFFSET.flags),
    heard,
    ttl,
    offer: offerAt === nonceAt ? undefined : decodeOffer(frame.slice(offerAt, nonceAt)),
    session: frame.slice(ROUTED_HEADER, ROUTED_HEADER + 8),
    nonce: frame.slice(nonceAt, textAt),
    sealed: frame.slice(textAt),
  };
}

const counted = (length: number, first: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
const encapsulated = counted(32, 1);
const offer: SessionOffer = {
  sender: EAST,
  encapsulated,
  created: 1_700_000_000_123,
  hash: counted(32, 100),
  certificate: counted(40, 200),
  signature: counted(64, 50),
};
const common = { heard: 0, session: encapsulated.slice(0, 8), nonce: counted(12, 7), sealed: concat([text("sealed"), counted(16, 33)]) };

export const SEALED_CASES: readonly Case[] = [
  frozen(
    "sealed-message",
    "a sealed message, which begins its session with the certificate of who sends it",
    { ...common, kind: FRAME.message, flags: FLAG.sealed | FLAG.durable, ttl: 60_000, offer },
    lay,
    read,
  ),
  frozen(
    "sealed-message-of-known-sender",
    "a sealed message whose destination has the certificate of who sends it",
    { ...common, kind: FRAME.message, flags: FLAG.sealed, ttl: 60_000, heard: 0x01020304, offer: { ...offer, certificate: undefined } },
    lay,
    read,
  ),
  frozen(
    "sealed-data",
    "a sealed chunk, under a session that its reader has heard of",
    { ...common, kind: FRAME.data, flags: FLAG.sealed | FLAG.fin, ttl: 0, heard: 0xfffefdfc, offer: undefined },
    lay,
    read,
  ),
  routedCase(
    ["unopened", "what that node said could not be opened"],
    { kind: FRAME.unopened },
    undefined,
    (catcher, to) => catcher.out.send(to),
    () => undefined,
  ),
];
