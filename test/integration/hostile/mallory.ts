import type { MeshNode, NodeOptions } from "receptor-mesh";
import { resolveOptions } from "../../../src/config/options.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { SILENT } from "../../../src/core/log.ts";
import { hashNodeId, isSameHash } from "../../../src/core/node-hash.ts";
import { NodeCiphers } from "../../../src/identity/ciphers.ts";
import { openSealingKey } from "../../../src/identity/sealing-key.ts";
import { Signatory } from "../../../src/identity/signatory.ts";
import { createNode } from "../../../src/node/create.ts";
import { openSecurity } from "../../../src/node/membership/open-security.ts";
import { Sealing } from "../../../src/sealing/sealing.ts";
import type { Party } from "../../../src/sealing/sending.ts";
import { createTransports } from "../../../src/transports/index.ts";
import { decodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { readBatch } from "../../../src/wire/digest.ts";
import { FRAME, LINK_HEADER, OFFSET } from "../../../src/wire/frame.ts";
import { Tampering } from "./tampering.ts";

/** What is heard of another member. */
interface Known extends Party {
  /** What a message is bound to that is for its present life. */
  readonly life: number;
}

/** A member of a mesh that carries for others, in the tester's hands: its node is a real one, but for what it does with its pipes. */
export class Mallory {
  readonly node: MeshNode;
  readonly pipes: Tampering;
  readonly ciphers: NodeCiphers;
  readonly #sealingKey: Uint8Array;
  readonly #parties: ReadonlyMap<string, Known>;

  private constructor(node: MeshNode, pipes: Tampering, ciphers: NodeCiphers, sealingKey: Uint8Array, parties: ReadonlyMap<string, Known>) {
    this.node = node;
    this.pipes = pipes;
    this.ciphers = ciphers;
    this.#sealingKey = sealingKey;
    this.#parties = parties;
  }

  static async start(options: NodeOptions & { readonly dataDir: string }, names: readonly string[]): Promise<Mallory> {
    const security = await openSecurity(await resolveOptions(options, () => undefined), SILENT);
    if (security.signing === undefined) throw new Error("mallory has no certificate");
    const pipes = new Tampering("mallory", names);
    const parties = new Map<string, Known>();
    pipes.onFrame = (frame) => learn(parties, frame);
    const node = await createNode(options, { transports: pipes.around(createTransports({ tls: security.tls })) });
    const key = await openSealingKey(options.dataDir);
    const signatory = new Signatory(security.signing, { wallClock: Date.now, isRevoked: () => false });
    return new Mallory(node, pipes, new NodeCiphers(signatory, key), key.shown, parties);
  }

  lifeOf(name: string): number {
    return this.#parties.get(name)?.life ?? 0;
  }

  /** Seals with mallory's own key and certificate, as a node of the name `as`; for many frames of one session use one. */
  sealer(as = "mallory"): Sealing {
    return new Sealing(
      {
        mode: "required",
        sealingKey: this.#sealingKey,
        self: nodeId(as),
        ephemeral: false,
        ciphers: this.ciphers,
        wallClock: Date.now,
        partyOf: (high, low) => [...this.#parties.values()].find(({ node }) => isSameHash(hashNodeId(node), { high, low })),
      },
      { onUnopened: () => undefined, onUnknownSession: () => undefined },
    );
  }

  sealed(frame: Uint8Array, sealer = this.sealer()): Uint8Array {
    const view = sealer.seal(performance.now(), frame, 0, frame.length);
    if (view === undefined) throw new Error("it is not known how to seal for that node");
    return view.bytes.slice(view.start, view.end);
  }
}

/** Whoever is in the mesh hears how to seal for each other member. */
function learn(parties: Map<string, Known>, frame: Uint8Array): void {
  if (frame[OFFSET.kind] !== FRAME.advertisements) return;
  const body = frame.subarray(LINK_HEADER);
  readBatch(body, (_view, start, end) => {
    const { node, credentials, boot } = decodeAdvertisement(body.slice(start, end));
    if (credentials !== undefined) parties.set(node, { node, ...credentials, life: Number.parseInt(boot.slice(8, 16), 16) });
  });
}
