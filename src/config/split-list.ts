/** `a, b c` as its three parts; `none` as no part. */
export function splitList(text: string): string[] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  return parts.length === 1 && parts[0] === "none" ? [] : parts;
}
