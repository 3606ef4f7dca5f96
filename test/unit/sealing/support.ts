import { hashNodeId } from "../../../src/core/node-hash.ts";
import { type MessageId, messageId, nodeId } from "../../../src/core/ids.ts";
import { TokenBucket } from "../../../src/core/token-bucket.ts";
import { Sealing, type SealingMode, type SealingOptions, type SessionRates } from "../../../src/sealing/sealing.ts";
import { FRAME, OFFSET, ROUTED_HEADER, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { writeMessageId } from "../../../src/wire/message-id.ts";
import { readSealedParts, type SealedParts } from "../../../src/wire/sealed.ts";
import { type SimCiphers, SimSecrets } from "../../sim/ciphers.ts";
import { SimAuthority } from "../../sim/signatures.ts";

export const ID: MessageId = messageId("00000000-0000-8000-8000-000000000007");
const HEADER = { destinationHigh: 0, destinationLow: 0, sourceHigh: 0, sourceLow: 0 };
const WALL = 1_700_000_000_000;

/** The machine of one node, with what it told. */
export class End {
  readonly id;
  readonly ciphers: SimCiphers;
  readonly unopened: string[] = [];
  /** How often it has told the other end that a session is not known. */
  asked = 0;
  wallOffset = 0;
  sealing: Sealing;
  rates: SessionRates = { begin: new TokenBucket(0.001, 100), answer: new TokenBucket(0.001, 100) };
  readonly #mesh: Mesh;

  constructor(mesh: Mesh, name: string) {
    this.id = nodeId(name);
    this.#mesh = mesh;
    this.ciphers = mesh.secrets.ciphersOf(this.id);
    this.sealing = this.restarted();
  }

  /** A new life, which remembers nothing. */
  restarted(options: Partial<SealingOptions> = {}): Sealing {
    const mesh = this.#mesh;
    this.sealing = new Sealing(
      {
        ...mesh.secrets.meansOf(this.id),
        self: this.id,
        ephemeral: false,
        wallClock: () => WALL + mesh.now + this.wallOffset,
        partyOf: (high, low) => {
          const end = [...mesh.ends.values()].find(({ id }) => hashNodeId(id).high === high && hashNodeId(id).low === low);
          if (end === undefined || mesh.unknown.has(end.id)) return undefined;
          const { sealingKey, ciphers } = mesh.secrets.meansOf(end.id);
          return { node: end.id, sealingKey, certificate: ciphers.certificate };
        },
        ...options,
      },
      { onUnopened: (why) => this.unopened.push(why), onUnknownSession: () => void this.asked++ },
    );
    return this.sealing;
  }

  /** What leaves of a frame for another; undefined: nothing. */
  seal(to: string, facts: { kind?: number; flags?: number; ttl?: number; body?: Uint8Array } = {}): Uint8Array | undefined {
    const body = facts.body ?? Uint8Array.of(1, 2, 3, 4, 5);
    const frame = frameOf(this.id, to, { ...facts, body });
    const sealed = this.sealing.seal(this.#mesh.now, frame, 0, frame.length);
    return sealed?.bytes.slice(sealed.start, sealed.end);
  }

  open(sealed: Uint8Array | undefined): Uint8Array | undefined {
    if (sealed === undefined) throw new Error("nothing was sealed");
    const copy = sealed.slice();
    const opened = this.sealing.open(this.#mesh.now, this.rates, {
      bytes: copy,
      view: new DataView(copy.buffer),
      start: 0,
      end: copy.length,
    });
    return opened?.bytes.slice(opened.start, opened.end);
  }
}

/** Some nodes of a mesh with an authority, in virtual time. */
export class Mesh {
  now = 1_000;
  readonly secrets = new SimSecrets(new SimAuthority());
  readonly ends = new Map<string, End>();
  /** Of whom no advertisement is known. */
  readonly unknown = new Set<string>();

  constructor(names: readonly string[], mode: SealingMode = "required") {
    for (const name of names) this.ends.set(name, new End(this, name));
    for (const end of this.ends.values()) end.restarted({ mode });
  }

  end(name: string): End {
    const end = this.ends.get(name);
    if (end === undefined) throw new Error(`no node ${name}`);
    return end;
  }
}

/** As its sender writes it, unsealed. */
export function frameOf(
  from: string,
  to: string,
  {
    kind = FRAME.message,
    flags = 0,
    ttl = 20_000,
    body = new Uint8Array(0),
  }: { kind?: number; flags?: number; ttl?: number; body?: Uint8Array },
): Uint8Array {
  const frame = new Uint8Array(ROUTED_HEADER + body.length);
  const view = new DataView(frame.buffer);
  writeRoutedHeader(view, 0, frame.length, { ...HEADER, kind, flags, hops: 0, ttl, auxiliary: 77 });
  setHash(view, OFFSET.destination, to);
  setHash(view, OFFSET.source, from);
  writeMessageId(frame, OFFSET.id, ID);
  frame.set(body, ROUTED_HEADER);
  return frame;
}

export function setHash(view: DataView, at: number, node: string): void {
  const { high, low } = hashNodeId(node);
  view.setUint32(at, high);
  view.setUint32(at + 4, low);
}

export function partsOf(sealed: Uint8Array): SealedParts {
  return readSealedParts(new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength), 0, sealed.length);
}

export function offerLength(sealed: Uint8Array | undefined): number {
  if (sealed === undefined) throw new Error("nothing was sealed");
  const { offerAt, nonceAt } = partsOf(sealed);
  return nonceAt - offerAt;
}
