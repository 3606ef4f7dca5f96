import { concat } from "../../src/core/bytes.ts";
import { type NodeId, nodeId } from "../../src/core/ids.ts";
import { type Advertisement, decodeAdvertisement, encodeAdvertisement } from "../../src/wire/advertisement.ts";
import { signAdvertisement } from "../../src/wire/advertisement-signature.ts";
import { BATCH_FLAG, BatchWriter, readBatch } from "../../src/wire/digest.ts";
import { FRAME, LINK_HEADER, OFFSET, writeLinkHeader } from "../../src/wire/frame.ts";
import type { SimAuthority } from "./signatures.ts";

/** Ways to lie of another node. */
const LIES = ["flip", "newer", "goodbye", "own key", "unsigned", "invented", "replayed"] as const;

interface Entry {
  readonly raw: Uint8Array;
  readonly age: number;
}

/** A member that passes on what others have not said: it changes the advertisements that leave its node. */
export class Liar {
  readonly id: NodeId;
  /** How many of them. */
  share: number;
  lies = 0;
  readonly #authority: SimAuthority;
  readonly #random: () => number;
  /** What others have said, to be twisted and said again. */
  readonly #seen: Entry[] = [];
  /** Neighbours that listen to advertisements. */
  readonly #listening = new Set<string>();

  constructor(id: NodeId, share: number, authority: SimAuthority, random: () => number) {
    this.id = id;
    this.share = share;
    this.#authority = authority;
    this.#random = random;
  }

  /** A frame that leaves the liar's node, as its neighbour gets it. */
  tamper(to: string, frame: Uint8Array): Uint8Array {
    const kind = frame[OFFSET.kind];
    if (kind === FRAME.hello) this.#listening.delete(to);
    if (kind === FRAME.advertisements) this.#listening.add(to);
    if (this.share === 0) return frame;
    if (kind === FRAME.keepalive && this.#listening.has(to)) return concat([frame, ...this.#unasked()]);
    return kind === FRAME.advertisements ? this.#twisted(frame) : frame;
  }

  /** Lies of nodes that nothing new is known of. */
  #unasked(): Uint8Array[] {
    const writer = new BatchWriter();
    const entry = this.#seen[Math.floor(this.#random() * this.#seen.length)];
    if (entry !== undefined) for (const { raw, age } of this.#told(entry)) writer.add(raw, age);
    return writer.finish().map(framed);
  }

  #twisted(frame: Uint8Array): Uint8Array {
    const body = frame.subarray(LINK_HEADER);
    const flags = body[0] ?? 0;
    const writer = new BatchWriter(flags & BATCH_FLAG.exchange);
    readBatch(body, (_view, start, end, age) => {
      const raw = body.slice(start, end);
      if (this.#seen.length < 200 && decodeAdvertisement(raw).node !== this.id) this.#seen.push({ raw, age });
      for (const entry of this.#told({ raw, age })) writer.add(entry.raw, entry.age);
    });
    const bodies = writer.finish(flags & (BATCH_FLAG.end | BATCH_FLAG.more));
    return concat(bodies.map(framed));
  }

  #told(entry: Entry): Entry[] {
    const advertisement = decodeAdvertisement(entry.raw);
    if (advertisement.node === this.id || this.#random() >= this.share) return [entry];
    this.lies++;
    const lie = LIES[Math.floor(this.#random() * LIES.length)];
    const newer: Advertisement = { ...advertisement, sequence: advertisement.sequence + 1_000, links: [{ peer: this.id, cost: 0.001 }] };
    const told = (raw: Uint8Array): Entry[] => [{ raw, age: 0 }];
    switch (lie) {
      case "flip": {
        const raw = entry.raw.slice();
        // Behind what says whose it is.
        const at = 16 + Math.floor(this.#random() * 6);
        raw[at] = (raw[at] ?? 0) ^ (1 << Math.floor(this.#random() * 8));
        return told(raw);
      }
      case "newer":
        return told(this.#signed(newer, newer.node));
      case "goodbye":
        return told(this.#signed({ ...newer, epoch: newer.epoch + 1_000, links: [], withdrawn: true }, newer.node));
      case "own key":
        return told(this.#signed({ ...newer, epoch: newer.epoch + 1_000, credentials: this.#authority.credentialsOf(this.id) }, this.id));
      case "unsigned":
        return told(encodeAdvertisement(newer));
      case "invented":
        return [entry, ...told(this.#signed({ ...newer, node: nodeId(`bank-${this.lies}`) }, this.id))];
      default:
        return [entry, ...this.#seen.slice(-3)];
    }
  }

  /** With its own key, whatever name it uses: it has no other. */
  #signed(advertisement: Advertisement, name: NodeId): Uint8Array {
    const credentials = advertisement.credentials ?? this.#authority.credentialsOf(name);
    return signAdvertisement(encodeAdvertisement({ ...advertisement, credentials }), (bytes) =>
      this.#authority.signatureOf(this.id, bytes),
    );
  }
}

function framed(body: Uint8Array): Uint8Array {
  const head = new Uint8Array(LINK_HEADER);
  writeLinkHeader(new DataView(head.buffer), 0, LINK_HEADER + body.length, FRAME.advertisements);
  return concat([head, body]);
}
