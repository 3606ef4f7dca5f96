import { isErrorCode, MeshError, type ErrorData } from "../core/errors.ts";
import { isNodeId, type NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import { Fields } from "./check.ts";
import { decode, encode, type Plain } from "./codec.ts";

const MESSAGE_LIMIT = 2_000;

/** An error as it crosses the mesh: code, message, data; never a stack. */
export function errorToPlain(error: MeshError): Plain {
  return { c: error.code, m: error.message.slice(0, MESSAGE_LIMIT), d: error.data };
}

/** An unknown code, from a newer version, becomes INTERNAL with the code in its data. */
export function errorFromPlain(value: Plain): MeshError {
  const fields = new Fields(value, "an error");
  const code = fields.string("c", 64);
  const message = fields.string("m", MESSAGE_LIMIT + 100);
  const data = fields.has("d") ? readData(fields.raw("d")) : {};
  return isErrorCode(code) ? new MeshError(code, message, { data }) : new MeshError("INTERNAL", message, { data: { ...data, code } });
}

function readData(value: Plain): ErrorData {
  const fields = new Fields(value, "the data of an error");
  const data: Record<string, string | number | boolean | readonly string[]> = {};
  for (const key of fields.keys().slice(0, 32)) {
    const entry = fields.raw(key);
    if (typeof entry === "string" || typeof entry === "number" || typeof entry === "boolean") data[key] = entry;
    else if (Array.isArray(entry)) data[key] = entry.filter((item) => typeof item === "string");
  }
  return data;
}

/**
 * What a destination answers to a message. An empty body says accepted. `stale`: the message was bound to another life of
 * the destination, `life` is the present one, `resent` as the message said.
 */
export type Receipt =
  | { readonly type: "accepted" }
  | { readonly type: "refused"; readonly error: MeshError }
  | { readonly type: "stale"; readonly life: number; readonly resent: boolean }
  /** Answer to an attach: from which byte of the response stream, and which response, it goes on. */
  | { readonly type: "attached"; readonly offset: number; readonly serial: number; readonly generation: number }
  /** Answer to an attach: ask there. */
  | { readonly type: "elsewhere"; readonly node: NodeId };

export function encodeReceipt(receipt: Receipt): Uint8Array {
  switch (receipt.type) {
    case "accepted":
      return new Uint8Array(0);
    case "refused":
      return encode({ t: "refused", e: errorToPlain(receipt.error) });
    case "stale":
      return encode({ t: "stale", p: receipt.life, r: receipt.resent });
    case "attached":
      return encode({ t: "attached", o: receipt.offset, n: receipt.serial, g: receipt.generation });
    case "elsewhere":
      return encode({ t: "elsewhere", w: receipt.node });
  }
}

export function decodeReceipt(bytes: Uint8Array): Receipt {
  if (bytes.length === 0) return { type: "accepted" };
  const fields = new Fields(decode(bytes), "a receipt");
  const type = fields.string("t", 16);
  switch (type) {
    case "refused":
      return { type, error: errorFromPlain(fields.raw("e")) };
    case "stale":
      return { type, life: fields.integer("p", 0, 0xffffffff), resent: fields.boolean("r") };
    case "attached":
      return { type, offset: fields.integer("o"), serial: fields.integer("n", 1), generation: fields.integer("g", 0, 0xffff) };
    case "elsewhere":
      return { type, node: fields.nodeId("w") };
    default:
      throw new MeshError("PROTOCOL_ERROR", "a receipt of unknown type");
  }
}

/**
 * What a node on the way tells the origin of a message. parked: it waits here. released: it left here, bound to `life`. missing: it was left to
 * this node, and is not here any more; `unsent`: and was not sent on. failed: it ends here, with the reason.
 */
export type Notice =
  | { readonly type: "parked"; readonly node: NodeId; readonly ttl: Millis }
  | { readonly type: "released"; readonly node: NodeId; readonly life: number }
  | { readonly type: "missing"; readonly node: NodeId; readonly unsent: boolean }
  | { readonly type: "failed"; readonly node: NodeId; readonly error: MeshError };

export function encodeNotice(notice: Notice): Uint8Array {
  switch (notice.type) {
    case "parked":
      return encode({ t: "parked", n: notice.node, l: Math.max(0, Math.round(notice.ttl)) });
    case "released":
      return encode({ t: "released", n: notice.node, p: notice.life });
    case "missing":
      return encode({ t: "missing", n: notice.node, ...(notice.unsent ? { u: true } : {}) });
    case "failed":
      return encode({ t: "failed", n: notice.node, e: errorToPlain(notice.error) });
  }
}

export function decodeNotice(bytes: Uint8Array): Notice {
  const fields = new Fields(decode(bytes), "a notice");
  const node = fields.raw("n");
  if (!isNodeId(node)) throw new MeshError("PROTOCOL_ERROR", "a notice that does not say where it is from");
  switch (fields.string("t", 16)) {
    case "parked":
      return { type: "parked", node, ttl: fields.number("l") };
    case "released":
      return { type: "released", node, life: fields.integer("p", 0, 0xffffffff) };
    case "missing":
      return { type: "missing", node, unsent: fields.boolean("u") };
    case "failed":
      return { type: "failed", node, error: errorFromPlain(fields.raw("e")) };
    default:
      throw new MeshError("PROTOCOL_ERROR", "a notice of unknown type");
  }
}

export function encodeError(error: MeshError): Uint8Array {
  return encode(errorToPlain(error));
}

export function decodeError(bytes: Uint8Array): MeshError {
  return errorFromPlain(decode(bytes));
}
