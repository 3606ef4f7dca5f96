import { open, type FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { MeshError } from "../core/errors.ts";
import type { SendPayload } from "../node/api.ts";
import type { Context } from "./context.ts";

/** What may be held in memory where a stream will not do: for a group, or to keep on a disk. */
const GATHERED = 64 * 1024 * 1024;

export interface PayloadSource {
  /** To be called once. */
  payload(): Promise<SendPayload>;
  close(): Promise<void>;
}

/**
 * What PAYLOAD means: text, `-` for stdin, `@FILE`, nothing. A file is opened here, before anything is connected; PAYLOAD_UNREADABLE where
 * that fails. With `whole` the payload is bytes, at most 64 MiB; otherwise stdin and files are streamed.
 */
export async function openPayload(text: string | undefined, whole: boolean, { stdin }: Pick<Context, "stdin">): Promise<PayloadSource> {
  const nothing = async (): Promise<void> => {};
  if (text === "-") return { payload: async () => (whole ? await gather(stdin) : stdin), close: async () => void stdin.destroy() };
  if (text === undefined || !text.startsWith("@")) return { payload: async () => text ?? new Uint8Array(0), close: nothing };
  const path = text.slice(1);
  const file = await openFile(path);
  const stream = (): Readable => file.createReadStream({ highWaterMark: 64 * 1024, autoClose: false });
  return { payload: async () => (whole ? await gather(stream()) : stream()), close: () => file.close() };
}

async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    if (!(await file.stat()).isDirectory()) return file;
  } catch (cause) {
    await file?.close();
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const why = code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "permission denied" : String(code ?? cause);
    throw new MeshError("PAYLOAD_UNREADABLE", `the payload ${path} cannot be read: ${why}`, { cause, data: { path } });
  }
  await file.close();
  throw new MeshError("PAYLOAD_UNREADABLE", `the payload ${path} cannot be read: it is a folder`, { data: { path } });
}

async function gather(stream: Readable): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const part = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += part.length;
    if (size > GATHERED) throw new MeshError("TOO_LARGE", "a payload for a group, or one that is kept on a disk, is at most 64 MiB here");
    parts.push(part);
  }
  return Buffer.concat(parts);
}
