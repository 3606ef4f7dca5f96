import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Unpackr } from "msgpackr";
import { until } from "../support/mesh.ts";
import type { Recording } from "./recordings.ts";

// What a node of version 1.0 reads, by the places that version 1.0 has them at. It shares nothing with src/ on purpose: what moved
// there on both sides at once would go unseen.

const unpackr = new Unpackr({ useRecords: false });
const SOON = 15_000;

export interface OldFrame {
  readonly kind: number;
  readonly flags: number;
  readonly bytes: Buffer;
}

export function readMap(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const value: unknown = unpackr.unpack(Buffer.from(bytes));
  if (typeof value !== "object" || value === null) throw new RangeError("no map");
  return Object.fromEntries(Object.entries(value));
}

/** What an advertisement says, as far as the old node asks. */
export interface OldAdvertisement {
  readonly node: string;
  readonly life: number;
  readonly links: readonly { readonly peer: string; readonly cost: number }[];
  readonly body: Readonly<Record<string, unknown>>;
}

export function readAdvertisements(frame: Buffer): { readonly flags: number; readonly entries: readonly OldAdvertisement[] } {
  const entries: OldAdvertisement[] = [];
  let at = 9;
  while (at < frame.length) {
    const length = frame.readUInt16BE(at + 4);
    entries.push(readAdvertisement(frame.subarray(at + 6, at + 6 + length)));
    at += 6 + length;
  }
  return { flags: frame.readUInt8(8), entries };
}

function readAdvertisement(raw: Buffer): OldAdvertisement {
  let at = 45 + raw.readUInt8(44);
  const node = raw.toString("latin1", 45, at);
  const links: { peer: string; cost: number }[] = [];
  const count = raw.readUInt16BE(at);
  at += 2;
  for (let i = 0; i < count; i++) {
    const end = at + 1 + raw.readUInt8(at);
    links.push({ peer: raw.toString("latin1", at + 1, end), cost: raw.readUInt32BE(end) });
    at = end + 4;
  }
  const body = readMap(raw.subarray(at + 2, at + 2 + raw.readUInt16BE(at)));
  return { node, life: raw.readUInt32BE(26), links, body };
}

/** The responses in a stream of records, and how the work ended. */
export function readRecords(stream: Buffer): { readonly responses: readonly string[]; readonly end: Readonly<Record<string, unknown>> } {
  const responses: string[] = [];
  let end: Readonly<Record<string, unknown>> = {};
  for (let at = 0; at < stream.length; at += 8 + stream.readUInt32BE(at + 4)) {
    const body = stream.subarray(at + 8, at + 8 + stream.readUInt32BE(at + 4));
    if (stream.readUInt8(at) === 1) responses.push(body.toString("utf8"));
    if (stream.readUInt8(at) === 5) end = readMap(body);
  }
  return { responses, end };
}

/** A node of version 1.0 as it was recorded: says the same bytes again, and waits where it waited. */
export class OldNode {
  readonly heard: OldFrame[] = [];
  closed = false;
  readonly #socket: Socket;
  #held = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", () => undefined);
  }

  static async connect(url: string): Promise<OldNode> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, "connect");
    return new OldNode(socket);
  }

  /** Plays a recorded session up to its end; before a message it writes in the present life of the destination, as it did then. */
  async play(session: readonly Recording[]): Promise<void> {
    const expected = new Map<number, number>();
    for (const { name, bytes } of session) {
      const frame = Buffer.from(bytes);
      const kind = frame.readUInt8(4);
      if (name.endsWith("-hears")) {
        const count = (expected.get(kind) ?? 0) + 1;
        expected.set(kind, count);
        await until(() => (this.all(kind).length >= count ? true : undefined), SOON, `${name}: ${count} frames of kind ${kind}`);
        continue;
      }
      if (kind === 16) frame.writeUInt32BE(this.#lifeOf("target"), 28);
      this.#socket.write(frame);
    }
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  all(kind: number): readonly OldFrame[] {
    return this.heard.filter((frame) => frame.kind === kind);
  }

  close(): void {
    this.#socket.destroy();
  }

  #lifeOf(node: string): number {
    const said = this.all(6).flatMap(({ bytes }) => readAdvertisements(bytes).entries);
    const found = said.find((entry) => entry.node === node);
    if (found === undefined) throw new RangeError(`${node} has said nothing`);
    return found.life;
  }

  #take(chunk: Buffer): void {
    this.#held = Buffer.concat([this.#held, chunk]);
    while (this.#held.length >= 8 && this.#held.length >= this.#held.readUInt32BE(0)) {
      const bytes = this.#held.subarray(0, this.#held.readUInt32BE(0));
      this.#held = this.#held.subarray(bytes.length);
      this.heard.push({ kind: bytes.readUInt8(4), flags: bytes.readUInt8(5), bytes });
    }
  }
}
