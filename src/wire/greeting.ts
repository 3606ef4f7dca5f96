import { concat, EMPTY } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { Fields } from "./check.ts";
import { decode, encode } from "./codec.ts";
import { LINK_HEADER } from "./frame.ts";
import { decodeError, encodeError } from "./outcome.ts";

/** What each end of a link says of itself before anything else. */
export interface Greeting {
  readonly node: NodeId;
  /** 32 hexadecimal digits, new at each start of the process. */
  readonly instance: string;
  /** Protocol version: majors must be equal, of the minors the smaller holds. */
  readonly versionMajor: number;
  readonly versionMinor: number;
  /** Version of the product, for people. */
  readonly version: string;
  /** Lives for one command only: gone when its link is. */
  readonly ephemeral: boolean;
  /** Carries nothing for others, and parks nothing. */
  readonly leaf: boolean;
  /** What this end asks for the link; positive. */
  readonly cost: number;
  /** Features that this end has. */
  readonly capabilities: readonly string[];
  /** Features that the other end must have. */
  readonly critical?: readonly string[];
  /** URLs that this end listens on. */
  readonly listening?: readonly string[];
  /** How long the process has run: of two that claim one id, the younger leaves. */
  readonly uptime?: Millis;
}

/** The first four bytes that either end sends in its hello. */
export const MAGIC = "RMSH";

const PREFIX = MAGIC.length + 2;
const INSTANCE = /^[0-9a-f]{32}$/;
const FEATURE = /^[\x21-\x7e]{1,64}$/;
const URL_TEXT = /^[\x21-\x7e]{1,512}$/;
const MAX_COST = 1_000_000;

/** Throws TOO_LARGE where the greeting would not fit a greeting frame. */
export function encodeHello(greeting: Greeting): Uint8Array {
  const prefix = new Uint8Array(PREFIX);
  for (let i = 0; i < MAGIC.length; i++) prefix[i] = MAGIC.charCodeAt(i);
  prefix[MAGIC.length] = greeting.versionMajor;
  prefix[MAGIC.length + 1] = greeting.versionMinor;
  const { versionMajor: _major, versionMinor: _minor, ...fields } = greeting;
  const body = concat([prefix, encode(fields)]);
  if (body.length + LINK_HEADER > LIMITS.greetingFrame) {
    throw new MeshError(
      "TOO_LARGE",
      `a greeting of ${body.length} bytes is over the limit of ${LIMITS.greetingFrame}; listen on fewer addresses`,
    );
  }
  return body;
}

/** The protocol version at the head of a hello body; undefined where the magic is wrong. */
export function helloVersion(body: Uint8Array): { readonly major: number; readonly minor: number } | undefined {
  if (body.length < PREFIX) return undefined;
  for (let i = 0; i < MAGIC.length; i++) if (body[i] !== MAGIC.charCodeAt(i)) return undefined;
  return { major: body[MAGIC.length] as number, minor: body[MAGIC.length + 1] as number };
}

/** Fields that this version does not know are ignored. Throws PROTOCOL_ERROR or TOO_LARGE. */
export function decodeHello(body: Uint8Array): Greeting {
  const version = helloVersion(body);
  if (version === undefined) throw new MeshError("PROTOCOL_ERROR", `a hello that does not begin with ${MAGIC}`);
  const fields = new Fields(decode(body.subarray(PREFIX)), "a hello");
  const instance = fields.string("instance", 32);
  if (!INSTANCE.test(instance)) throw new MeshError("PROTOCOL_ERROR", 'a hello has no valid "instance"');
  const cost = fields.number("cost", 0, MAX_COST);
  if (cost === 0) throw new MeshError("PROTOCOL_ERROR", 'a hello has no valid "cost"');
  return {
    node: fields.nodeId("node"),
    instance,
    versionMajor: version.major,
    versionMinor: version.minor,
    version: fields.string("version", 64),
    ephemeral: fields.boolean("ephemeral"),
    leaf: fields.boolean("leaf"),
    cost,
    capabilities: fields.strings("capabilities", 64, isFeature),
    ...(fields.has("critical") ? { critical: fields.strings("critical", 64, isFeature) } : {}),
    ...(fields.has("listening") ? { listening: fields.strings("listening", 32, isUrlText) } : {}),
    ...(fields.has("uptime") ? { uptime: fields.number("uptime") } : {}),
  };
}

function isFeature(text: string): boolean {
  return FEATURE.test(text);
}

function isUrlText(text: string): boolean {
  return URL_TEXT.test(text);
}

/** A keepalive's body: the sender's own clock, which only the sender ever reads again. */
export const KEEPALIVE_BODY = 8;

export function encodeKeepalive(sent: Instant): Uint8Array {
  const body = new Uint8Array(KEEPALIVE_BODY);
  new DataView(body.buffer).setFloat64(0, sent);
  return body;
}

/** Throws PROTOCOL_ERROR where it is not 8 bytes with a finite number. */
export function decodeKeepalive(body: Uint8Array): Instant {
  const sent = body.length === KEEPALIVE_BODY ? new DataView(body.buffer, body.byteOffset).getFloat64(0) : Number.NaN;
  if (!Number.isFinite(sent)) throw new MeshError("PROTOCOL_ERROR", `a keepalive of ${body.length} bytes without a time`);
  return sent;
}

/** Why a link is being closed; an empty body says that nothing is wrong. */
export function encodeGoodbye(reason: MeshError | undefined): Uint8Array {
  if (reason === undefined) return EMPTY;
  const full = encodeError(reason);
  return full.length + LINK_HEADER <= LIMITS.greetingFrame ? full : encodeError(new MeshError(reason.code, reason.message));
}

/** Throws PROTOCOL_ERROR or TOO_LARGE. */
export function decodeGoodbye(body: Uint8Array): MeshError | undefined {
  return body.length === 0 ? undefined : decodeError(body);
}
