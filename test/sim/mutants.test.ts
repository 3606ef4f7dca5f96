import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { MUTANTS, type Mutant } from "./mutants.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SEEDS = 50;

/** The simulator over a copy of the sources with one rule switched off; resolves to its exit code and what it said. */
function simulate(folder: string, { edits, mode }: Mutant): Promise<{ readonly code: number; readonly said: string }> {
  for (const { file, find, put } of edits) {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    expect(text.split(find), `${file} has the place once`).toHaveLength(2);
    writeFileSync(
      path,
      text.replace(find, () => put),
    );
  }
  const args = ["--import", "tsx", "test/sim/main.ts", "--seeds", String(SEEDS), "--mode", mode, "--first", "--jobs", "1"];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, timeout: 240_000 }, (error, stdout, stderr) => {
      for (const { file } of edits) cpSync(join(ROOT, file), join(folder, file));
      resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, said: `${stdout}${stderr}` });
    });
  });
}

describe("a rule that is switched off", () => {
  const folder = mkdtempSync(join(tmpdir(), "receptor-mutants-"));
  for (const part of ["src", "test", "package.json", "tsconfig.json", "tsconfig.base.json"])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(`is noticed within ${SEEDS} seeds: %s`, async (_name, mutant) => {
    const { code, said } = await simulate(folder, mutant);
    expect(said, "a run that failed, not a program that did not start").toMatch(
      /^--seed \d+ .*: ([IS]\d|R4|not |still |kept |more than )/m,
    );
    expect(code).toBe(1);
  });
});
