// Controls but tab and line feed, separators of lines, and marks that turn the direction of text: what could drive a terminal or forge a line.
const UNSAFE = /(?![\t\n])\p{Cc}|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** Text from elsewhere, made harmless for a terminal; line feeds and tabs stay. */
export function escapeText(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** The same for what must stay on one line. */
export function escapeLine(text: string): string {
  return escapeText(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** Turns bytes that come in pieces into text; what is not UTF-8 is written out as `\xff`. */
export class Utf8Escaper {
  #rest: Uint8Array = new Uint8Array(0);

  /** The text that is complete; up to three bytes may wait for the next piece. */
  push(bytes: Uint8Array): string {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const whole = all.length - unfinished(all);
    // The caller may use its buffer again.
    this.#rest = Uint8Array.prototype.slice.call(all, whole);
    return decode(all.subarray(0, whole));
  }

  /** What never became complete. */
  end(): string {
    const rest = this.#rest;
    this.#rest = new Uint8Array(0);
    return decode(rest);
  }
}

/** How many bytes at the end begin a character that is not complete. */
export function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    return width(byte) > back ? back : 0;
  }
  return 0;
}

function width(lead: number): number {
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 ? (lead < 0xf0 ? 3 : 1) : lead >= 0xc2 ? 2 : 1;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function whole(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function decode(bytes: Uint8Array): string {
  const text = whole(bytes);
  if (text !== undefined) return text;
  let out = "";
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0;
    const char = lead < 0x80 ? String.fromCharCode(lead) : whole(bytes.subarray(at, at + width(lead)));
    out += char ?? `\\x${lead.toString(16)}`;
    at += char === undefined ? 1 : width(lead);
  }
  return out;
}
