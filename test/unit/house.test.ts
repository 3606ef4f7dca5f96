import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

interface Report {
  readonly summary: { readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[] };
}

/** What each file of the fixture imports, and the rule that must refuse it; undefined: allowed. */
const files: readonly (readonly [file: string, imports: string, rule: string | undefined])[] = [
  ["src/core/target.ts", "", undefined],
  ["src/wire/target.ts", "", undefined],
  ["src/routing/target.ts", "", undefined],
  ["src/sealing/ports.ts", "", undefined],
  ["src/sealing/target.ts", "", undefined],
  ["src/transports/target.ts", "", undefined],
  ["src/storage/target.ts", "", undefined],
  ["src/plugin/target.ts", "", undefined],
  ["src/cli/target.ts", "", undefined],
  ["src/node/target.ts", "", undefined],
  ["src/index.ts", "./node/target.ts", undefined],
  ["src/plugin.ts", "./plugin/target.ts", undefined],
  ["src/testing.ts", "./transports/target.ts", undefined],
  ["plugins/other/src/index.ts", "", undefined],
  ["test/support/target.ts", "", undefined],

  ["src/wire/to-core.ts", "../core/target.ts", undefined],
  ["src/node/to-routing.ts", "../routing/target.ts", undefined],
  ["src/identity/to-ports.ts", "../sealing/ports.ts", undefined],
  ["src/sealing/to-wire.ts", "../wire/target.ts", undefined],
  ["src/cli/to-node.ts", "../node/target.ts", undefined],
  ["src/storage/to-level.ts", "level", undefined],
  ["plugins/good/src/index.ts", "./own.ts", undefined],
  ["plugins/good/src/own.ts", "node:fs", undefined],
  ["plugins/good/test/index.test.ts", "../../../src/testing.ts", undefined],

  ["src/core/to-wire.ts", "../wire/target.ts", "arrows-core"],
  ["src/wire/to-routing.ts", "../routing/target.ts", "arrows-wire"],
  ["src/link/to-routing.ts", "../routing/target.ts", "arrows-link"],
  ["src/delivery/to-routing.ts", "../routing/target.ts", "arrows-delivery"],
  ["src/delivery/to-sealing.ts", "../sealing/target.ts", "arrows-delivery"],
  ["src/sealing/to-routing.ts", "../routing/target.ts", "arrows-sealing"],
  ["src/identity/to-sealing.ts", "../sealing/target.ts", "identity-knows-ports"],
  ["src/work/to-node.ts", "../node/target.ts", "arrows-work"],
  ["src/routing/to-storage.ts", "../storage/target.ts", "arrows-routing"],
  ["src/transports/to-wire.ts", "../wire/target.ts", "arrows-transports"],
  ["src/storage/to-node.ts", "../node/target.ts", "arrows-storage"],
  ["src/plugin/to-node.ts", "../node/target.ts", "arrows-plugin"],
  ["src/config/to-wire.ts", "../wire/target.ts", "arrows-config"],
  ["src/telemetry/to-node.ts", "../node/target.ts", "arrows-telemetry"],
  ["src/node/to-cli.ts", "../cli/target.ts", "arrows-node"],
  ["src/cli/to-wire.ts", "../wire/target.ts", "arrows-cli"],
  ["src/node/to-door.ts", "../index.ts", "arrows-node"],
  ["src/routing/to-msgpackr.ts", "msgpackr", "package-msgpackr"],
  ["src/node/to-level.ts", "level", "package-level"],
  ["src/node/to-yargs.ts", "yargs", "package-yargs"],
  ["src/node/to-pino.ts", "pino", "package-pino"],
  ["src/routing/to-node-builtin.ts", "node:fs", "pure-no-node"],
  ["src/sealing/to-node-builtin.ts", "node:crypto", "pure-no-node"],
  ["src/node/to-plugin.ts", "../../plugins/other/src/index.ts", "src-knows-no-plugin"],
  ["src/node/to-test.ts", "../../test/support/target.ts", "src-knows-no-tests"],
  ["src/node/to-nothing.ts", "./missing.ts", "resolvable"],
  ["plugins/bad/src/index.ts", "../../../src/node/target.ts", "plugins-use-the-doors"],
  ["plugins/worse/src/index.ts", "../../other/src/index.ts", "plugins-use-the-doors"],
  ["src/node/circle-a.ts", "./circle-b.ts", "no-cycles"],
];

let folder = "";
const violations = new Map<string, string[]>();

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "receptor-house-"));
  // A type import is an arrow too.
  for (const [file, imports] of files) {
    await put(
      file,
      imports === "" ? "export type Thing = 1;\n" : `import type * as thing from "${imports}";\nexport type Thing = typeof thing;\n`,
    );
  }
  await put("src/node/circle-b.ts", `import type { Thing } from "./circle-a.ts";\nexport type Other = Thing;\n`);
  for (const name of ["msgpackr", "level", "yargs", "pino"]) {
    await put(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
    await put(`node_modules/${name}/index.js`, "");
  }
  await put("package.json", JSON.stringify({ name: "fixture", dependencies: { msgpackr: "1", level: "1", yargs: "1", pino: "1" } }));
  const command = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const args = [command, "--config", join(root, ".dependency-cruiser.cjs"), "--output-type", "json", "src", "plugins"];
  const { stdout } = await run(process.execPath, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  const report: Report = JSON.parse(stdout);
  for (const { from, rule } of report.summary.violations) violations.set(from, [...(violations.get(from) ?? []), rule.name]);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("dependency rules", () => {
  for (const [file, imports, rule] of files) {
    if (imports === "") continue;
    it(`${rule === undefined ? "allow" : "refuse"} ${file} -> ${imports}`, () => {
      if (rule === undefined) expect(violations.get(file) ?? []).toEqual([]);
      else expect(violations.get(file)).toContain(rule);
    });
  }
});
