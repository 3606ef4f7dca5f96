import { createHash, type X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { NodeId } from "../core/ids.ts";
import { hashOfKey, readCertificate, spanOf } from "./certificate.ts";
import { namesIn, readIfThere, writePrivate } from "./files.ts";
import type { Owner } from "./judge.ts";

const NAME = /^[0-9a-f]{32}[.]crt$/;

/** The certificates that a signer has issued: the newest one of each id, in a file named by the hash of the id. */
export class Ledger {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async ownerOf(node: NodeId): Promise<Owner | undefined> {
    const pem = await readIfThere(this.#path(node));
    if (pem === undefined) return undefined;
    const certificate = readCertificate(pem, this.#path(node));
    return { key: hashOfKey(certificate), ...spanOf(certificate) };
  }

  /** The newest certificate of an id that has this serial number. */
  async find(serial: string): Promise<X509Certificate | undefined> {
    for (const name of await namesIn(this.#folder)) {
      const pem = NAME.test(name) ? await readIfThere(join(this.#folder, name)) : undefined;
      if (pem === undefined) continue;
      const certificate = readCertificate(pem, join(this.#folder, name));
      if (certificate.serialNumber === serial) return certificate;
    }
    return undefined;
  }

  async note(node: NodeId, certificate: string): Promise<void> {
    await writePrivate(this.#path(node), certificate);
  }

  #path(node: NodeId): string {
    return join(this.#folder, `${createHash("sha256").update(node).digest("hex").slice(0, 32)}.crt`);
  }
}
