import { EMPTY } from "../../src/core/bytes.ts";
import { hashNodeId } from "../../src/core/node-hash.ts";
import { type NodeId, nodeId } from "../../src/core/ids.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { TokenBucket } from "../../src/core/token-bucket.ts";
import { NodeCiphers } from "../../src/identity/ciphers.ts";
import { Signatory } from "../../src/identity/signatory.ts";
import { createAuthority, type KeyPair } from "../../src/identity/x509.ts";
import { createAgreementKey } from "../../src/identity/x25519.ts";
import { type FrameView, Sealing } from "../../src/sealing/sealing.ts";
import { ROUTED_HEADER } from "../../src/wire/frame.ts";
import { decodeOffer, readSealedParts } from "../../src/wire/sealed.ts";
import { meshOf, signingOf } from "../support/signing.ts";
import { frameOf } from "../unit/sealing/support.ts";
import type { Decoder } from "./decoders.ts";

const MESH = meshOf("0123456789abcdef");
const DAY = 86_400_000;
const RATES = { begin: new TokenBucket(1e9, 1e9), answer: new TokenBucket(1, 1) };

/** All that reads what is sealed, with the cryptography of real nodes. */
export async function sealingDecoders(): Promise<Readonly<Record<string, Decoder>>> {
  const authority = await createAuthority(MESH, { from: Date.now() - 40 * DAY, to: Date.now() + 400 * DAY });
  const [a, b] = [await party("a", authority), await party("b", authority)];
  const [sender, destination] = [sealingOf(a, b), sealingOf(b, a)];
  const plain = frameOf(a.node, b.node, { body: Uint8Array.of(1, 2, 3, 4, 5) });
  const first = copy(sender.seal(0, plain, 0, plain.length));
  const parts = readSealedParts(viewOf(first), 0, first.length);
  const told = destination.open(0, RATES, frameView(first));
  if (told === undefined) throw new Error("what is sealed for a node is not opened by it");
  return {
    "sealed frame": {
      samples: [first],
      read: (bytes) => bytes.length >= ROUTED_HEADER && readSealedParts(viewOf(bytes), 0, bytes.length),
      codes: ["PROTOCOL_ERROR"],
      most: LIMITS.frame,
    },
    "session offer": {
      samples: [first.slice(parts.offerAt, parts.nonceAt)],
      read: decodeOffer,
      codes: ["PROTOCOL_ERROR"],
      most: 2 * LIMITS.sessionOffer,
    },
    "what is sealed": {
      samples: [first],
      read(bytes) {
        if (bytes.length < ROUTED_HEADER) return;
        // A node that knows nothing of the session yet: all of it is judged.
        destination.receiving.clear();
        const opened = destination.open(0, RATES, frameView(bytes.slice()));
        if (opened === undefined) return;
        const text = Buffer.from(opened.bytes.subarray(opened.start + ROUTED_HEADER, opened.end));
        if (!text.equals(plain.subarray(ROUTED_HEADER))) throw new Error("something was opened that nobody sealed");
      },
      codes: ["PROTOCOL_ERROR"],
      most: 2 * LIMITS.sessionOffer,
    },
  };
}

interface Party {
  readonly node: NodeId;
  readonly sealingKey: Uint8Array;
  readonly ciphers: NodeCiphers;
}

async function party(name: string, authority: KeyPair): Promise<Party> {
  const signing = await signingOf(name, { mesh: MESH, issuer: authority, trusts: authority });
  const key = createAgreementKey();
  const signatory = new Signatory(signing, { wallClock: () => Date.now(), isRevoked: () => false });
  return { node: nodeId(name), sealingKey: key.shown, ciphers: new NodeCiphers(signatory, key) };
}

/** Sessions have the time of now for as long as it takes: what is wrong is never the clock. */
function sealingOf(self: Party, other: Party): Sealing {
  const began = Date.now();
  const { high, low } = hashNodeId(other.node);
  return new Sealing(
    {
      mode: "required",
      self: self.node,
      ephemeral: false,
      sealingKey: self.sealingKey,
      ciphers: self.ciphers,
      wallClock: () => began,
      partyOf: (h, l) => (h === high && l === low ? { ...other, certificate: other.ciphers.certificate } : undefined),
    },
    { onUnopened: () => undefined, onUnknownSession: () => undefined },
  );
}

function copy(sealed: FrameView | undefined): Uint8Array {
  return sealed?.bytes.slice(sealed.start, sealed.end) ?? EMPTY;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function frameView(bytes: Uint8Array): FrameView {
  return { bytes, view: viewOf(bytes), start: 0, end: bytes.length };
}
