import { MeshError } from "../core/errors.ts";

/** One alternative name of a certificate. */
export interface AltName {
  /** As OpenSSL says it: `URI`, `DNS`, `IP Address`, ... */
  readonly type: string;
  readonly value: string;
}

const ENTRY = /([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/**
 * Reads Node's one-line form of the alternative names of a certificate, which the certificate's owner has written: names with a comma or
 * a quote in them stand in quotes. Throws CERTIFICATE_INVALID where a part is of no known form, so that nothing is skipped.
 */
export function parseAltNames(text: string | undefined): readonly AltName[] {
  const names: AltName[] = [];
  if (text === undefined || text === "") return names;
  ENTRY.lastIndex = 0;
  while (ENTRY.lastIndex < text.length) {
    const [, type, written] = ENTRY.exec(text) ?? [];
    if (type === undefined || written === undefined) throw unreadable();
    names.push({ type, value: written.startsWith('"') ? unquote(written) : written });
  }
  return names;
}

function unquote(written: string): string {
  try {
    const value: unknown = JSON.parse(written);
    if (typeof value === "string") return value;
  } catch (cause) {
    throw unreadable(cause);
  }
  throw unreadable();
}

function unreadable(cause?: unknown): MeshError {
  return new MeshError("CERTIFICATE_INVALID", "the alternative names of the certificate cannot be read", { cause });
}
