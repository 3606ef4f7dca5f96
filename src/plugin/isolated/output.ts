import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** Characters of one line that are logged. */
const LINE = 2_000;

/** Cuts what a process writes into lines, and hands each over; of a longer one only the beginning. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  let begun = "";
  const add = (text: string): void => {
    const lines = text.split("\n");
    const last = lines.pop() ?? "";
    for (const line of lines) {
      const whole = (begun + line.slice(0, LINE)).slice(0, LINE);
      begun = "";
      if (whole.trim() !== "") onLine(whole);
    }
    begun = (begun + last.slice(0, LINE)).slice(0, LINE);
  };
  stream.on("data", (bytes: Buffer) => add(decoder.write(bytes)));
  stream.on("error", () => undefined);
  stream.on("end", () => add(`${decoder.end()}\n`));
}
