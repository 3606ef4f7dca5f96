import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { COMMAND } from "../support/mesh.ts";

const root = join(COMMAND, "../../..");
const folder = mkdtempSync(join(tmpdir(), "receptor-compiled-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs Node to its end, or until it has said `until`; resolves to what it printed and to the modules that it had loaded. */
async function modulesOf(args: readonly string[], until?: string): Promise<{ readonly output: string; readonly modules: string[] }> {
  const coverage = mkdtempSync(join(folder, "coverage-"));
  const env = { PATH: process.env["PATH"], NODE_V8_COVERAGE: coverage };
  const child = spawn(process.execPath, [...args], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (until !== undefined && output.includes(until)) child.kill("SIGTERM");
  });
  await once(child, "close");
  const modules = readdirSync(coverage).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(coverage, name), "utf8")) as { readonly result: readonly { readonly url: string }[] };
    return result.map(({ url }) => url).filter((url) => url.startsWith("file:"));
  });
  return { output, modules };
}

/** What the build has put into the modules of ours among these. */
function sourcesOf(modules: readonly string[]): string[] {
  const own = modules.filter((url) => url.includes("/dist/") && !url.includes("node_modules"));
  return own.flatMap((url) => [...readFileSync(new URL(url), "utf8").matchAll(/^\/\/ (src\/\S+)$/gm)].map(([, source = ""]) => source));
}

const packagesOf = (modules: readonly string[]): Set<string> =>
  new Set(modules.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []));

describe("the compiled package", () => {
  it("has each of its classes once, whichever door it comes through", async () => {
    const program = `
      const [mesh, plugin, testing] = await Promise.all(["index", "plugin", "testing"].map((door) => import(${JSON.stringify(root)} + "/dist/" + door + ".js")));
      const memory = new testing.MemoryMesh();
      const echo = plugin.definePlugin({ name: "greet", version: "1.0.0", api: plugin.PLUGIN_API, actions: { run: { run: () => "hello" } } });
      await memory.node({ id: "worker", plugins: [echo] });
      const controller = await memory.node({ id: "controller", peers: ["worker"] });
      const error = await controller.send("nobody here", "greet:run", "").catch((thrown) => thrown);
      console.log(JSON.stringify([error instanceof mesh.MeshError, mesh.isMeshError(error), error.code]));
      process.exit(0);`;
    const { output } = await modulesOf(["--input-type=module", "-e", program]);
    expect(JSON.parse(output)).toEqual([true, true, "INVALID_ARGUMENT"]);
  });

  it("loads for a plain node what that needs, and nothing else", async () => {
    const args = ["node", "--id", "plain", "--data-dir", join(folder, "data"), "--listen", "tcp://127.0.0.1:0", "--log-format", "json"];
    const { output, modules } = await modulesOf([COMMAND, ...args], '"ready"');
    expect(output).toContain('"ready"');
    const packages = packagesOf(modules);
    for (const needed of ["level", "msgpackr", "pino"]) expect(packages).toContain(needed);
    for (const unneeded of ["yargs", "zod", "yaml", "ws", "semver", "prom-client", "pino-pretty", "@peculiar/x509"])
      expect(packages).not.toContain(unneeded);
    const sources = sourcesOf(modules);
    expect(sources).toContain("src/transports/tcp.ts");
    for (const unneeded of [
      "transports/tls",
      "transports/ws",
      "identity/signer",
      "identity/hpke",
      "plugin/isolated/isolated-plugin",
      "cli/status",
    ])
      expect(sources).not.toContain(`src/${unneeded}.ts`);
    expect(modules.filter((url) => url.includes("/dist/") && !url.includes("node_modules")).length).toBeLessThan(15);
  });

  it("loads for help nothing but the reading of command lines", async () => {
    const { output, modules } = await modulesOf([COMMAND, "--help"]);
    expect(output).toContain("--version");
    const packages = packagesOf(modules);
    expect(packages).toContain("yargs");
    for (const unneeded of ["level", "msgpackr", "pino", "zod"]) expect(packages).not.toContain(unneeded);
  });
});
