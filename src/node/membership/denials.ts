import { stat } from "node:fs/promises";
import type { X509Certificate } from "node:crypto";
import { EMPTY, utf8 } from "../../core/bytes.ts";
import { toMeshError, MeshError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import { readDenyList, writeDenyList } from "../../identity/deny-file.ts";
import { DenyList } from "../../identity/deny-list.ts";
import { identityFiles } from "../../identity/paths.ts";
import { reconcile } from "../../identity/revoke.ts";
import { decodeDenied, encodeDenied } from "../../wire/denied.ts";
import { FRAME } from "../../wire/frame.ts";
import type { Link } from "../engine/link.ts";

/** How often it looks whether a command has changed the list in the data folder: milliseconds. */
const LOOK = 500;

export interface DenialsOptions {
  readonly dataDir: string;
  /** Whose lists count. */
  readonly authority: X509Certificate;
  readonly own: X509Certificate;
  readonly log: Logger;
}

export interface DenialsParts {
  /** Links that are up. */
  links(): Iterable<Link>;
  close(link: Link, reason: MeshError): void;
  /** The node was revoked just now: what it advertises is to be forgotten. */
  forget(node: NodeId): void;
  /** Whether this node signs, and so makes one list of two. */
  signs(): boolean;
  /** Milliseconds since 1970. */
  wallClock(): number;
}

/**
 * The list of revoked certificates of a running node: passed on to every neighbour that has an older one, kept on disk, and what is on it
 * has no link. Each end of a new link says the number of its list; who has the greater one sends that list.
 */
export class Denials {
  readonly #options: DenialsOptions;
  readonly #parts: DenialsParts;
  /** The number of the list that a neighbour was sent or has sent. */
  readonly #told = new WeakMap<Link, number>();
  #list: DenyList | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #looks = "";
  #writing: Promise<void> = Promise.resolve();

  constructor(options: DenialsOptions, parts: DenialsParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Reads what is on disk. To be called before there are links. */
  async open(): Promise<void> {
    await this.#read();
    this.#timer = setInterval(() => this.#look(), LOOK).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
  }

  /** What people should know. */
  get warnings(): readonly string[] {
    if (this.#list?.refuses(this.#options.own) === undefined) return [];
    return ["the certificate of this node was revoked: no node of the mesh links to it"];
  }

  /** Why a certificate does not hold. */
  refuses(certificate: X509Certificate | undefined): MeshError | undefined {
    return certificate === undefined ? undefined : this.#list?.refuses(certificate);
  }

  linkUp(link: Link): void {
    link.session.sendLink(FRAME.denied, encodeDenied({ number: this.#list?.number ?? 0, list: EMPTY }));
  }

  /** A neighbour has said the number of its list, or sent it. Throws PROTOCOL_ERROR or TOO_LARGE where the neighbour must be cut off. */
  frame(link: Link, body: Uint8Array): void {
    const { number, list: bytes } = decodeDenied(body);
    const own = this.#list?.number ?? 0;
    // What is not newer is not looked at: to check a signature takes longer than to send one again.
    if (number <= own) return number < own ? this.#tell(link) : undefined;
    if (bytes.length === 0) return;
    const list = DenyList.parse(bytes, this.#options.authority);
    if (list.number !== number) throw new MeshError("PROTOCOL_ERROR", "a list of revoked certificates under another number than its own");
    this.#told.set(link, number);
    this.#adopt(list);
    this.#keep(list);
  }

  #adopt(list: DenyList): void {
    const { log, own } = this.#options;
    const before = this.#list;
    this.#list = list;
    const { nodes, serials } = list.denied;
    log.info({ event: "revocations", number: list.number, count: nodes.length + serials.length }, "a list of revoked certificates holds");
    if (list.refuses(own) !== undefined) log.error({ event: "revoked" }, "the certificate of this node was revoked");
    for (const link of [...this.#parts.links()]) {
      // Also who is on it: so that it can say at its own side why it has no links.
      this.#tell(link);
      const refusal = this.refuses(link.pipe.certificate);
      if (refusal !== undefined) this.#parts.close(link, refusal);
    }
    // Not who was let in again since.
    for (const { node, before: time } of nodes) if (before?.since(node) !== time) this.#parts.forget(node);
  }

  /** Once for each list. */
  #tell(link: Link): void {
    const list = this.#list;
    if (list === undefined || (this.#told.get(link) ?? 0) >= list.number) return;
    this.#told.set(link, list.number);
    link.session.sendLink(FRAME.denied, encodeDenied({ number: list.number, list: utf8(list.text) }));
  }

  /** Puts a list that came from a neighbour on the disk; who signs adds what it alone has revoked. */
  #keep(list: DenyList): void {
    const { dataDir, log } = this.#options;
    const kept = this.#writing.then(async () => {
      // A newer one may have come meanwhile, or a command may have made one.
      if (this.#list !== list) return;
      const merged = this.#parts.signs() ? await reconcile(dataDir, list, this.#parts.wallClock()) : undefined;
      if (merged === undefined) await writeDenyList(dataDir, list);
      else if (merged.number > (this.#list?.number ?? 0)) this.#adopt(merged);
    });
    this.#writing = kept.catch((error: unknown) => {
      log.error({ event: "revocations-not-kept", error: toMeshError(error).message }, "the list of revoked certificates is not on disk");
    });
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    // Not beside a write of its own.
    void this.#writing.then(() => this.#read()).finally(() => (this.#looking = false));
  }

  async #read(): Promise<void> {
    const { dataDir, authority, log } = this.#options;
    const looks = await looksOf(identityFiles(dataDir).denied);
    if (looks === this.#looks) return;
    this.#looks = looks;
    try {
      const list = await readDenyList(dataDir, authority);
      if (list !== undefined && list.number > (this.#list?.number ?? 0)) this.#adopt(list);
    } catch (error) {
      const { code, message } = toMeshError(error);
      log.error(
        { event: "revocations-unreadable", code, error: message },
        "the list of revoked certificates cannot be read; neighbours have it",
      );
    }
  }
}

async function looksOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return "-";
  }
}
