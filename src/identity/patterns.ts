const PATTERN = /^[A-Za-z0-9._:*-]{1,128}$/;

/** The most patterns that a token or a certificate carries. */
export const MAX_PATTERNS = 16;

/** Whether `value` is made of the characters of ids and groups, and `*` for any number of them. */
export function isPattern(value: unknown): value is string {
  return typeof value === "string" && PATTERN.test(value);
}

/** Whether one of `patterns` fits the whole of `name`. Takes time in proportion to the two lengths, whatever they are. */
export function fits(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => fitsOne(pattern, name));
}

function fitsOne(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
