// C0 and C1 controls, line separators, and the marks that turn the direction of text: what could forge a line or drive a terminal.
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const UNSAFE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** `text` with every control character written out, as `\n` or `\u001b`. */
export function escapeControls(text: string): string {
  return text.replaceAll(UNSAFE, (char) => SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A line of JSON that means the same and holds no control character but its end; JSON itself escapes only those below 0x20. */
export function escapeJsonLine(line: string): string {
  return line.replaceAll(UNSAFE_IN_JSON, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A copy of a value out of JSON in which no string and no key holds a control character. */
export function escapeDeep(value: unknown): unknown {
  if (typeof value === "string") return escapeControls(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(escapeDeep);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [escapeControls(name), escapeDeep(item)]));
}
