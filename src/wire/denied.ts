import { EMPTY } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";

const NUMBER = 8;

/** What one end of a link says about revoked certificates. */
export interface DeniedFrame {
  /** Of the list that its sender has; 0: none. */
  readonly number: number;
  /** That list; empty: only its number is said. */
  readonly list: Uint8Array;
}

export function encodeDenied({ number, list }: DeniedFrame): Uint8Array {
  const body = new Uint8Array(NUMBER + list.length);
  new DataView(body.buffer).setFloat64(0, number);
  body.set(list, NUMBER);
  return body;
}

/** `list` is a part of `body`. Throws PROTOCOL_ERROR. */
export function decodeDenied(body: Uint8Array): DeniedFrame {
  const number = body.length < NUMBER ? Number.NaN : new DataView(body.buffer, body.byteOffset).getFloat64(0);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new MeshError("PROTOCOL_ERROR", "a list of revoked certificates without its number");
  return { number, list: body.length === NUMBER ? EMPTY : body.subarray(NUMBER) };
}
