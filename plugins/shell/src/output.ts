import type { Readable } from "node:stream";

/** Which output a chunk came from. */
export interface Chunk {
  readonly channel: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/**
 * Two outputs as one sequence, each chunk as it comes. Neither is read further before its last chunk was taken, so a slow
 * reader slows the command down. A character is not torn apart between two chunks.
 */
export async function* mergeOutputs(stdout: Readable, stderr: Readable): AsyncGenerator<Chunk> {
  const waiting = new Map<Chunk["channel"], Promise<Next>>();
  const sources = { stdout: whole(stdout), stderr: whole(stderr) };
  const ask = (channel: Chunk["channel"]): void => {
    waiting.set(
      channel,
      sources[channel].next().then((result) => ({ channel, result })),
    );
  };
  ask("stdout");
  ask("stderr");
  while (waiting.size > 0) {
    const { channel, result } = await Promise.race(waiting.values());
    if (result.done === true) {
      waiting.delete(channel);
      continue;
    }
    ask(channel);
    yield { channel, bytes: result.value };
  }
}

interface Next {
  readonly channel: Chunk["channel"];
  readonly result: IteratorResult<Uint8Array, void>;
}

/** The stream's chunks, each ending where a UTF-8 character ends (if it is UTF-8 at all). */
async function* whole(stream: Readable): AsyncGenerator<Uint8Array, void> {
  let kept: Buffer = Buffer.alloc(0);
  for await (const piece of chunksOf(stream)) {
    const bytes = kept.length === 0 ? piece : Buffer.concat([kept, piece]);
    const length = bytes.length - unfinished(bytes);
    kept = bytes.subarray(length);
    if (length > 0) yield bytes.subarray(0, length);
  }
  if (kept.length > 0) yield kept;
}

/** A stream that was destroyed because its command was ended just ends. */
async function* chunksOf(stream: Readable): AsyncGenerator<Buffer, void> {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (error) {
    const cut = error instanceof Error && "code" in error && error.code === "ERR_STREAM_PREMATURE_CLOSE";
    if (!cut) throw error;
  }
}

/** How many bytes at the end begin a UTF-8 character without ending it: 0 to 3. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return size > back ? back : 0;
  }
  return 0;
}
