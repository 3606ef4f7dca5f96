import { concat, copyOf, EMPTY } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import { isNodeId, type NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { Fields } from "./check.ts";
import { decode, encode, type Plain } from "./codec.ts";
import { putWord, ROUTED_HEADER, word } from "./frame.ts";

/** What a message asks for, in the frame of kind `message`. */
export interface MessageBody {
  readonly sender: NodeId;
  /** `plugin:action`. */
  readonly directive: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the work may take once accepted. */
  readonly deadline: Millis | undefined;
  /** The sender has ended every message of this id's lane below this counter. */
  readonly floor: number;
  /** Inline payload; empty where it follows as a stream. */
  readonly payload: Uint8Array;
}

/** Fixed part: u32 floor, u32 deadline in ms (0: none), u16 length of the metadata. */
const FIXED = 10;
const METADATA_AT = ROUTED_HEADER + FIXED;
const HEADERS = 32;

/** Encoded metadata of a message; the same for every message of one sender with one directive and no headers. */
export function encodeMetadata(sender: NodeId, directive: string, headers: Readonly<Record<string, string>>): Uint8Array {
  const fields: { [key: string]: Plain } = { s: sender, d: directive };
  if (Object.keys(headers).length > 0) fields["h"] = headers;
  const bytes = encode(fields);
  if (bytes.length > LIMITS.metadata)
    throw new MeshError("TOO_LARGE", `directive and headers of ${bytes.length} bytes are over the limit of ${LIMITS.metadata}`);
  return bytes;
}

/** A whole message frame whose header is still empty. `memory`: where it is laid; default: a buffer of its own. */
export function layMessage(
  metadata: Uint8Array,
  body: Pick<MessageBody, "deadline" | "floor" | "payload">,
  memory = (size: number): Uint8Array => new Uint8Array(size),
): Uint8Array {
  const frame = memory(METADATA_AT + metadata.length + body.payload.length);
  putWord(frame, ROUTED_HEADER, body.floor);
  putWord(frame, ROUTED_HEADER + 4, body.deadline === undefined ? 0 : Math.max(1, Math.min(0xffffffff, Math.ceil(body.deadline))));
  frame[ROUTED_HEADER + 8] = metadata.length >>> 8;
  frame[ROUTED_HEADER + 9] = metadata.length;
  frame.set(metadata, METADATA_AT);
  frame.set(body.payload, METADATA_AT + metadata.length);
  return frame;
}

/** Reads the message in `frame[start, end)`; its payload is a copy. Throws PROTOCOL_ERROR, TOO_LARGE, UNSUPPORTED. */
export function readMessage(frame: Uint8Array, start: number, end: number): MessageBody {
  if (end - start < METADATA_AT) throw new MeshError("PROTOCOL_ERROR", "a message that is shorter than its fixed part");
  const metadataAt = start + METADATA_AT;
  const length = ((frame[start + ROUTED_HEADER + 8] as number) << 8) | (frame[start + ROUTED_HEADER + 9] as number);
  if (length > LIMITS.metadata)
    throw new MeshError("TOO_LARGE", `directive and headers of ${length} bytes are over the limit of ${LIMITS.metadata}`);
  const payloadAt = metadataAt + length;
  if (payloadAt > end) throw new MeshError("PROTOCOL_ERROR", "a message whose metadata is longer than it");
  const deadline = word(frame, start + ROUTED_HEADER + 4);
  const { sender, directive, headers } = RECENT.read(frame, metadataAt, payloadAt);
  return {
    sender,
    directive,
    headers,
    floor: word(frame, start + ROUTED_HEADER),
    deadline: deadline === 0 ? undefined : deadline,
    payload: payloadAt === end ? EMPTY : copyOf(frame, payloadAt, end),
  };
}

type Metadata = Pick<MessageBody, "sender" | "directive" | "headers">;

/** What was read of metadata last: one sender writes the same bytes for each message of one directive. Its answers are those of `readMetadata`. */
class RecentMetadata {
  readonly #entries: { readonly bytes: Uint8Array; readonly metadata: Metadata }[] = [];
  #next = 0;

  read(frame: Uint8Array, start: number, end: number): Metadata {
    for (const { bytes, metadata } of this.#entries) if (isSame(bytes, frame, start, end)) return metadata;
    const bytes = frame.slice(start, end);
    const metadata = readMetadata(bytes);
    // Headers differ from message to message, and are long.
    if (bytes.length <= RECENT_BYTES && metadata.headers === NO_HEADERS) {
      this.#entries[this.#next] = { bytes, metadata };
      this.#next = (this.#next + 1) % RECENT_ENTRIES;
    }
    return metadata;
  }
}

const RECENT_ENTRIES = 8;
const RECENT_BYTES = 256;
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const RECENT = new RecentMetadata();

function isSame(bytes: Uint8Array, frame: Uint8Array, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== frame[start + i]) return false;
  return true;
}

function readMetadata(bytes: Uint8Array): Metadata {
  const fields = new Fields(decode(bytes), "a message");
  for (const key of fields.keys()) {
    if (key.startsWith("!")) throw new MeshError("UNSUPPORTED", `a message requires "${key.slice(1)}", which this version does not have`);
  }
  const sender = fields.raw("s");
  if (!isNodeId(sender)) throw new MeshError("PROTOCOL_ERROR", "a message without a sender");
  return { sender, directive: fields.string("d", LIMITS.directive), headers: fields.has("h") ? readHeaders(fields.raw("h")) : NO_HEADERS };
}

function readHeaders(value: Plain): Readonly<Record<string, string>> {
  const fields = new Fields(value, "the headers of a message");
  const keys = fields.keys();
  if (keys.length > HEADERS) throw new MeshError("PROTOCOL_ERROR", "a message with too many headers");
  return Object.freeze(Object.fromEntries(keys.map((key) => [key, fields.string(key, LIMITS.metadata)])));
}

/** A frame without its body, for kinds that need none, or with one. */
export function layFrame(body: Uint8Array = EMPTY): Uint8Array {
  return concat([new Uint8Array(ROUTED_HEADER), body]);
}
