import { createHash, timingSafeEqual } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import { isMeshId, type MeshId } from "./names.ts";

/** What lets a machine into a mesh: which mesh, how to know its signer, and a secret. */
export interface JoinToken {
  readonly mesh: MeshId;
  /** SHA-256 of the authority's certificate: 32 bytes. */
  readonly authority: Uint8Array;
  /** 16 hexadecimal digits; names the token, and is no secret. */
  readonly id: string;
  /** 20 random bytes. */
  readonly secret: Uint8Array;
  /** Milliseconds since 1970, to the second. */
  readonly expires: number;
}

export const SECRET_BYTES = 20;
const PREFIX = "rmesh1_";
const LENGTH = 8 + 32 + 8 + SECRET_BYTES + 4;
const TEXT = /^rmesh1_[A-Za-z0-9_-]{96}$/;

/** One word of letters, digits, `_` and `-`. */
export function formatJoinToken(token: JoinToken): string {
  const bytes = Buffer.alloc(LENGTH);
  bytes.write(token.mesh, 0, "hex");
  bytes.set(token.authority, 8);
  bytes.write(token.id, 40, "hex");
  bytes.set(token.secret, 48);
  bytes.writeUInt32BE(Math.floor(token.expires / 1_000), 48 + SECRET_BYTES);
  return PREFIX + bytes.toString("base64url");
}

/** Throws INVALID_ARGUMENT, without the token in its words. */
export function parseJoinToken(text: string): JoinToken {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) throw invalid(`it begins with ${PREFIX}`);
  if (!TEXT.test(trimmed)) throw invalid("a part of it is missing, or something stands around it");
  const bytes = Buffer.from(trimmed.slice(PREFIX.length), "base64url");
  const mesh = bytes.toString("hex", 0, 8);
  if (bytes.length !== LENGTH || !isMeshId(mesh)) throw invalid("a part of it is missing");
  return {
    mesh,
    authority: new Uint8Array(bytes.subarray(8, 40)),
    id: bytes.toString("hex", 40, 48),
    secret: new Uint8Array(bytes.subarray(48, 48 + SECRET_BYTES)),
    expires: bytes.readUInt32BE(48 + SECRET_BYTES) * 1_000,
  };
}

function invalid(why: string): MeshError {
  return new MeshError("INVALID_ARGUMENT", `this is no join token: ${why}; copy it whole from "receptor mesh token create"`);
}

/** What a signer keeps of a secret: it is random enough that one round of SHA-256 cannot be undone. */
export function hashSecret(secret: Uint8Array): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Takes the same time wherever the two differ. */
export function isSecret(secret: Uint8Array, hash: string): boolean {
  const expected = Buffer.from(hash, "hex");
  const actual = createHash("sha256").update(secret).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}
