import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { nodeId } from "../../../src/core/ids.ts";
import { createIdentifier } from "../../../src/identity/certificate.ts";
import { NodeCiphers } from "../../../src/identity/ciphers.ts";
import { identityFiles } from "../../../src/identity/paths.ts";
import { openSealingKey } from "../../../src/identity/sealing-key.ts";
import { readSigningKey } from "../../../src/identity/signing-key.ts";
import { Signatory } from "../../../src/identity/signatory.ts";
import { NodeSignatures } from "../../../src/node/membership/signatures.ts";
import { Sealing } from "../../../src/sealing/sealing.ts";
import { type Advertisement, decodeAdvertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { isOf, readHead } from "../../../src/wire/advertisement-layout.ts";
import { signAdvertisement } from "../../../src/wire/advertisement-signature.ts";
import { encodeDigest, readBatch } from "../../../src/wire/digest.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { encodeHello, encodeKeepalive } from "../../../src/wire/greeting.ts";
import { connectAs } from "../../support/members.ts";
import { until, within } from "../../support/mesh.ts";
import { advertisement, exchangeOf } from "./advertise.ts";
import { greetingOf, linkFrame, RawPeer } from "./raw-peer.ts";

const SOON = 15_000;

/** A member of a mesh, with a certificate of its own, that says whatever the test wants. */
export class Forger {
  readonly id: string;
  readonly peer: RawPeer;
  readonly #signatures: NodeSignatures;

  private constructor(id: string, peer: RawPeer, signatory: Signatory) {
    this.id = id;
    this.peer = peer;
    this.#signatures = new NodeSignatures(signatory, new Uint8Array(32));
  }

  /** Links to a node as the member of a data folder, up to the exchange, of which it says nothing yet. */
  static async link(dataDir: string, url: string, id: string): Promise<Forger> {
    const socket = connectAs(dataDir, url);
    const peer = new RawPeer(id, socket);
    await within(once(socket, "secureConnect"), SOON, "TLS is up");
    peer.send(linkFrame(FRAME.hello, encodeHello(greetingOf(id))));
    await peer.hears(FRAME.hello);
    peer.send(linkFrame(FRAME.keepalive, encodeKeepalive(0)));
    await peer.hears(FRAME.keepalive);
    for (const page of encodeDigest([])) peer.send(linkFrame(FRAME.digest, page));
    return new Forger(id, peer, signatoryOf(dataDir));
  }

  /** The same, and is a neighbour: it has said, truly, that it is linked to `to`. */
  static async join(dataDir: string, url: string, id: string, to: string): Promise<Forger> {
    const forger = await Forger.link(dataDir, url, id);
    forger.peer.send(exchangeOf(forger.signed(id, { links: [{ peer: nodeId(to), cost: 1 }] })));
    await forger.peer.hears(FRAME.advertisements);
    return forger;
  }

  /** An advertisement of `node` under the forger's own key, with the forger's own certificate unless the changes bring another. */
  signed(node: string, changes: Partial<Advertisement> = {}): Uint8Array {
    const whole = advertisement(node, { credentials: this.#signatures.credentials, ...changes });
    return signAdvertisement(encodeAdvertisement(whole), (bytes) => this.#signatures.sign(bytes));
  }

  /** What was heard of `node`, the oldest first. */
  heardOf(node: string): readonly Uint8Array[] {
    const all: Uint8Array[] = [];
    for (const { body } of this.peer.all(FRAME.advertisements))
      readBatch(body, (_view, start, end) => {
        if (isOf(body, start, node)) all.push(body.slice(start, end));
      });
    return all;
  }

  /** The newest that is heard of `node`, once it is as it should be. */
  async hearsOf(node: string, suits: (raw: Uint8Array) => boolean = () => true): Promise<Uint8Array> {
    return (await until(() => this.heardOf(node).findLast(suits), SOON, `an advertisement of ${node} arrives`)).value;
  }

  /** All that was sent before has been taken in. */
  async settled(): Promise<void> {
    const since = this.peer.heard.length;
    this.peer.send(linkFrame(FRAME.keepalive, encodeKeepalive(1)));
    await this.peer.hears(FRAME.keepalive, since);
  }
}

/** Signs with the certificate of a data folder, and believes whatever its authority has signed. */
function signatoryOf(dataDir: string): Signatory {
  const files = identityFiles(dataDir);
  const certificate = new X509Certificate(readFileSync(files.certificate));
  return new Signatory(
    {
      certificate,
      key: readSigningKey(readFileSync(files.key), files.key),
      authorities: [new X509Certificate(readFileSync(files.authority))],
      identifier: createIdentifier({ type: "mesh" }, certificate),
    },
    { wallClock: Date.now, isRevoked: () => false },
  );
}

/** Seals as the member of a data folder for the node that has said this of itself; `plain` is a routed frame. */
export async function sealsAs(dataDir: string, id: string, to: Uint8Array): Promise<(plain: Uint8Array) => Uint8Array> {
  const { node, credentials } = decodeAdvertisement(to);
  if (credentials === undefined) throw new TypeError(`${node} shows no sealing key`);
  const key = await openSealingKey(dataDir);
  const sealing = new Sealing(
    {
      mode: "required",
      self: nodeId(id),
      ephemeral: false,
      sealingKey: key.shown,
      ciphers: new NodeCiphers(signatoryOf(dataDir), key),
      wallClock: Date.now,
      partyOf: () => ({ node, ...credentials }),
    },
    { onUnopened: () => undefined, onUnknownSession: () => undefined },
  );
  return (plain) => {
    const sealed = sealing.seal(performance.now(), plain, 0, plain.length);
    if (sealed === undefined) throw new TypeError("it is not sealed");
    return sealed.bytes.slice(sealed.start, sealed.end);
  };
}

export function headOf(raw: Uint8Array): ReturnType<typeof readHead> {
  return readHead(new DataView(raw.buffer, raw.byteOffset, raw.byteLength), 0);
}
