import { Readable } from "node:stream";

/** The most that comes back in one piece; more comes back as a stream while it is still arriving. */
const INLINE = 16 * 1024;

/** The same bytes: as text or bytes where they are few, else as a stream. */
export async function echo(input: Readable): Promise<string | Uint8Array | Readable> {
  const chunks: Buffer[] = [];
  let length = 0;
  const rest = input.iterator({ destroyOnReturn: false });
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return textOrBytes(Buffer.concat(chunks, length));
    const chunk = Buffer.from(next.value);
    chunks.push(chunk);
    length += chunk.length;
    if (length > INLINE) return Readable.from(chain(chunks, rest, input), { objectMode: false });
  }
}

async function* chain(first: readonly Buffer[], rest: AsyncIterator<Uint8Array>, input: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    input.destroy();
  }
}

function textOrBytes(bytes: Buffer): string | Uint8Array {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes;
  }
}
