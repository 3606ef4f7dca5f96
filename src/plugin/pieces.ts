import { on } from "node:events";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";

/** Pieces that may wait for who reads them, beside those in the stream itself. */
const AHEAD = { highWaterMark: 1, lowWaterMark: 1 };

/**
 * What was pushed into a byte stream, piece by piece; its error where it fails, and ERR_STREAM_PREMATURE_CLOSE where it closes before its end.
 * The stream's own iterator joins the pieces that wait, so that each byte of a fast source is copied once more, into memory of its own.
 * Who stops early destroys the stream.
 */
export async function* piecesOf(stream: Readable): AsyncGenerator<unknown, void, undefined> {
  if (stream.readableObjectMode || stream.readableEnded || stream.destroyed) return yield* stream;
  // What it fails with once nobody reads is nobody's.
  stream.on("error", () => undefined);
  try {
    for await (const [piece] of on(stream, "data", { close: ["end", "close"], ...AHEAD })) yield piece as unknown;
    await finished(stream, { writable: false });
  } finally {
    stream.destroy();
  }
}
