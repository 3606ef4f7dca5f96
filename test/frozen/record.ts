import { CATALOGUE } from "./catalogue.ts";
import { captureSession, captureStore } from "./capture.ts";
import { LIFE } from "./cases/disk.ts";
import { type Recording, readRecordings, writeRecordings } from "./recordings.ts";

/**
 * Records what no recording is there of yet. It never changes a recording: who must do that takes it out of its file by hand first,
 * and docs/protocol.md says when that is allowed.
 */
async function main(): Promise<void> {
  for (const [file, cases] of Object.entries(CATALOGUE)) {
    add(
      file,
      cases.map(({ name, means, encode }) => ({ name, means, bytes: encode })),
    );
  }
  const life = LIFE.encode();
  add("life.hex", [{ ...LIFE, bytes: () => life }]);
  if (readRecordings("session.hex").length === 0) writeRecordings("session.hex", await captureSession());
  if (readRecordings("store.hex").length === 0) writeRecordings("store.hex", await captureStore());
}

function add(file: string, wanted: readonly (Omit<Recording, "bytes"> & { readonly bytes: () => Uint8Array })[]): void {
  const known = readRecordings(file);
  const missing = wanted.filter(({ name }) => known.every((recording) => recording.name !== name));
  if (missing.length === 0) return;
  writeRecordings(file, [...known, ...missing.map(({ name, means, bytes }) => ({ name, means, bytes: bytes() }))]);
  process.stdout.write(`${file}: recorded ${missing.map(({ name }) => name).join(", ")}\n`);
}

await main();
