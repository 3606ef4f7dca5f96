import { checkTls, type TlsOptions } from "./tls-options.ts";

/** The certificates in use, and who must hear when they change. */
export class TlsSettings {
  #current: TlsOptions;
  readonly #listeners = new Set<(options: TlsOptions) => void>();

  /** Throws CONFIG_INVALID. */
  constructor(options: TlsOptions) {
    checkTls(options);
    this.#current = options;
  }

  get current(): TlsOptions {
    return this.#current;
  }

  /** From now on for every new connection; those that are open stay. Throws CONFIG_INVALID and keeps the old ones. */
  replace(options: TlsOptions): void {
    checkTls(options);
    this.#current = options;
    for (const listener of this.#listeners) listener(options);
  }

  /** Returns what ends it. */
  onChange(listener: (options: TlsOptions) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
