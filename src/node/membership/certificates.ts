import { stat } from "node:fs/promises";
import type { NodeConfig } from "../../config/node-config.ts";
import { Backoff } from "../../core/backoff.ts";
import { MeshError, toMeshError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import { spanOf } from "../../identity/certificate.ts";
import type { Renewal } from "../../identity/renew.ts";
import type { PluginAdvertisement } from "../../wire/advertisement.ts";
import { RENEW } from "./ask-signers.ts";
import { openSecurity } from "./open-security.ts";
import { checkOwnNames, expiryWarning, type Security } from "./security.ts";
import { VERSION } from "../version.ts";

/** How often it looks whether files have changed or time is up: milliseconds. */
const LOOK = 1_000;
/** Between two tries to renew, where no signer answers: but never longer than a tenth of the time that is left. */
const RETRY = { initial: 10_000, factor: 2, maximum: 3_600_000 } as const;
/** Part of the last third of its life by which a renewal is late, at most: members that joined together do not all ask at once. */
const SPREAD = 0.1;

export interface CertificatesOptions {
  readonly config: NodeConfig;
  readonly security: Security;
  readonly id: NodeId;
  readonly log: Logger;
}

export interface CertificatesParts {
  /** For new connections, and for what is signed, from now on. Throws CONFIG_INVALID and keeps the old ones. */
  use(security: Security): void;
  /** Has another node sign; resolves to who did. */
  ask(renewal: Renewal, signal: AbortSignal): Promise<string>;
  /** What is advertised may have changed. */
  onChange(): void;
  random(): number;
  /** Milliseconds since 1970. */
  wallClock(): number;
}

/** The certificates of a running node: read again when their files change, and renewed before they end. Links that are up stay. */
export class Certificates {
  readonly #options: CertificatesOptions;
  readonly #parts: CertificatesParts;
  readonly #stopped = new AbortController();
  readonly #retry: Backoff;
  #config: NodeConfig;
  #security: Security;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #renewing = false;
  /** What the files looked like when they were read, and at the last look. */
  #read = "";
  #seen = "";
  #renewAt = Number.POSITIVE_INFINITY;
  #trouble: MeshError | undefined;

  constructor(options: CertificatesOptions, parts: CertificatesParts) {
    this.#options = options;
    this.#parts = parts;
    this.#config = options.config;
    this.#security = options.security;
    this.#retry = new Backoff(RETRY, () => parts.random());
    this.#schedule();
  }

  /** What people should mend in time. */
  get warnings(): readonly string[] {
    const expiry = expiryWarning(this.#security, this.#parts.wallClock());
    const { warnings, member } = this.#security;
    if (expiry === undefined) return warnings;
    // A member's is no news until it could not be renewed.
    if (!member) return [...warnings, expiry];
    return this.#trouble === undefined ? warnings : [...warnings, `${expiry}, and could not be renewed: ${this.#trouble.message}`];
  }

  /** What the node can do for others by them. */
  get advertised(): readonly PluginAdvertisement[] {
    return this.#security.signer === undefined ? [] : [{ name: RENEW.plugin, version: VERSION, actions: [RENEW.action] }];
  }

  /** The answer to a member that wants its certificate renewed. Rejects with UNSUPPORTED where this node does not sign, or BUSY. */
  async sign(question: Uint8Array): Promise<Uint8Array> {
    const { signer } = this.#security;
    if (signer !== undefined) return await signer.renew(question);
    throw new MeshError("UNSUPPORTED", "this node does not sign certificates");
  }

  /** Looks after the files from now on, until `close`. */
  async start(): Promise<void> {
    this.#read = this.#seen = await looksOf(this.#config);
    this.#timer = setInterval(() => this.#look(), LOOK).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopped.abort();
  }

  /** Reads them again, as `config` says; new connections use them. Rejects, and keeps the old ones, where they are no good for this node. */
  async reload(config: NodeConfig = this.#config): Promise<void> {
    const { id, log } = this.#options;
    const looks = await looksOf(config);
    const next = await openSecurity(config, log);
    if (next.node !== this.#security.node)
      throw new MeshError(
        "CERTIFICATE_INVALID",
        `the new certificate is for ${next.node ?? "no node"}, and this node is ${id}: restart it`,
      );
    checkOwnNames(next, config, id, false);
    this.#parts.use(next);
    this.#config = config;
    this.#security = next;
    this.#read = this.#seen = looks;
    this.#schedule();
    this.#parts.onChange();
  }

  #schedule(): void {
    const { own, member } = this.#security;
    if (own === undefined || !member) return;
    const { from, until } = spanOf(own);
    this.#renewAt = until - ((until - from) / 3) * (1 - SPREAD * this.#parts.random());
  }

  #look(): void {
    if (!this.#renewing && this.#parts.wallClock() >= this.#renewAt) {
      this.#renewing = true;
      void this.#renew().finally(() => (this.#renewing = false));
    }
    if (this.#looking) return;
    this.#looking = true;
    void this.#reloadChanged().finally(() => (this.#looking = false));
  }

  /** What has changed is read once it has not changed for one look: a certificate and its key are two files. */
  async #reloadChanged(): Promise<void> {
    const { log } = this.#options;
    const looks = await looksOf(this.#config);
    const settled = looks === this.#seen;
    this.#seen = looks;
    if (looks === this.#read || !settled || this.#stopped.signal.aborted) return;
    this.#read = looks;
    try {
      await this.reload();
      log.info({ event: "certificates-reloaded", until: this.#security.own?.validTo }, "certificates reloaded");
    } catch (error) {
      const { code, message } = toMeshError(error);
      log.error({ event: "reload-failed", code, error: message }, "the certificates could not be reloaded; the old ones hold");
    }
  }

  async #renew(): Promise<void> {
    const { log } = this.#options;
    const { own, signer } = this.#security;
    const { dataDir } = this.#config;
    if (own === undefined || dataDir === undefined) return;
    try {
      const { beginRenewal } = await import("../../identity/renew.ts");
      const renewal = await beginRenewal(dataDir, false);
      if (signer === undefined) await this.#parts.ask(renewal, this.#stopped.signal);
      else await renewal.finish(await signer.renew(renewal.question));
      await this.reload();
      this.#trouble = undefined;
      this.#retry.reset();
      log.info({ event: "certificate-renewed", until: this.#security.own?.validTo }, "the certificate was renewed");
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      const trouble = toMeshError(error);
      const { until } = spanOf(own);
      const now = this.#parts.wallClock();
      this.#renewAt = now + Math.max(LOOK, Math.min(this.#retry.next(), (until - now) / 10));
      this.#trouble = trouble;
      log.warn(
        { event: "renewal-failed", code: trouble.code, error: trouble.message },
        "the certificate was not renewed; it is tried again",
      );
    }
  }
}

/** Changes when one of the files does. */
async function looksOf({ tls }: NodeConfig): Promise<string> {
  const files = [tls.cert, tls.key, tls.ca].filter((path) => path !== undefined);
  const looks = files.map(async (path) => {
    try {
      const { ino, size, mtimeMs } = await stat(path);
      return `${ino} ${size} ${mtimeMs}`;
    } catch {
      return "-";
    }
  });
  return (await Promise.all(looks)).join("\n");
}
