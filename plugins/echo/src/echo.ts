import { isUtf8 } from "node:buffer";
import { Readable } from "node:stream";
import type { Input } from "receptor-mesh/plugin";

/** The most that comes back in one piece; more comes back as a stream while it is still arriving. */
const INLINE = 16 * 1024;

/** The same bytes: as text or bytes where they are few, else as a stream. */
export async function echo(payload: Input): Promise<string | Uint8Array | Readable> {
  // What came with its message needs no stream to be read from.
  if (payload.length !== undefined && payload.length <= INLINE) return textOrBytes(await payload.bytes());
  const input = payload.stream();
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

/** As text where it is UTF-8. */
function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8") : bytes;
}
