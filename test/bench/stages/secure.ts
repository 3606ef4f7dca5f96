import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pluginFolder } from "../../support/mesh.ts";
import { TestAuthority } from "../../support/certificates.ts";
import type { Stage } from "../stage.ts";
import type { Certificates } from "../support/certificates.ts";
import { type MeshUnderTest, PLUGIN, TRUSTED } from "./mesh.ts";

/** Takes work from everybody. */
const WORKER = { allow: [{ directive: "*" }], ...TRUSTED };

/**
 * The same three processes, each with a certificate of its own; `e2e` says whether what they say to each other is sealed. Their links are plain
 * TCP, so that nothing else is encrypted.
 */
export async function startSecureMesh(stage: Stage, e2e: "required" | "off"): Promise<MeshUnderTest> {
  const authority = await TestAuthority.create("benchmark");
  const folder = stage.mesh.folder;
  await writeFile(join(folder, "ca.pem"), authority.ca);
  const certificateOf = async (node: string): Promise<Certificates & { readonly identity: string }> => {
    const { cert, key } = await authority.issue(node);
    const path = (part: string): string => join(folder, `${node}.${part}.pem`);
    await writeFile(path("cert"), cert);
    await writeFile(path("key"), key, { mode: 0o600 });
    return { cert: path("cert"), key: path("key"), ca: join(folder, "ca.pem"), identity: "cn:{node}" };
  };
  const start = async (node: string, args: readonly string[], more: object = {}): Promise<string> => {
    const config = join(folder, `${node}.yaml`);
    // JSON is YAML.
    await writeFile(config, JSON.stringify({ tls: await certificateOf(node), e2e, ...more }));
    return await stage.node(node, ["--config", config, ...args]);
  };
  const controller = stage.child("controller");
  const url = await start("relay", ["--listen", "tcp://127.0.0.1:0"]);
  await start("worker", ["--no-listen", "--peer", url, "--plugin", PLUGIN, "--plugin", pluginFolder("echo"), "--max-work", "64"], WORKER);
  await controller.ask("start", { peer: url, tls: await certificateOf("controller"), e2e });
  return { controller, relay: { pid: stage.mesh.pid("relay"), url } };
}
