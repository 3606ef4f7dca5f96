import { MeshError } from "./errors.ts";

declare const brand: unique symbol;

/** A node's name in the mesh: 1 to 128 characters of `A-Z a-z 0-9 . _ : -`. */
export type NodeId = string & { readonly [brand]: "NodeId" };

/** Names one message, the work it asks for, and the streams between its two ends. A UUID in its text form. */
export type MessageId = string & { readonly [brand]: "MessageId" };

const NODE_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const GROUP = /^[A-Za-z0-9._-]{1,64}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isNodeId(value: unknown): value is NodeId {
  return typeof value === "string" && NODE_ID.test(value);
}

/** Throws INVALID_ARGUMENT where `value` is no node id. */
export function nodeId(value: string): NodeId {
  if (isNodeId(value)) return value;
  throw new MeshError("INVALID_ARGUMENT", `"${value}" is no node id: use 1 to 128 characters of A-Z a-z 0-9 . _ : -`);
}

export function isGroupName(value: unknown): value is string {
  return typeof value === "string" && GROUP.test(value);
}

export function isMessageId(value: unknown): value is MessageId {
  return typeof value === "string" && UUID.test(value);
}

/** Throws INVALID_ARGUMENT where `value` is no message id. */
export function messageId(value: string): MessageId {
  const lower = value.toLowerCase();
  if (isMessageId(lower)) return lower;
  throw new MeshError("INVALID_ARGUMENT", `"${value}" is no work id: it looks like 0190163d-8694-739b-aea5-966c26f8ad91`);
}
