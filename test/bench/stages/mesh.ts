import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pluginFolder } from "../../support/mesh.ts";
import type { Stage } from "../stage.ts";
import type { Certificates } from "../support/certificates.ts";
import type { Child } from "../support/child.ts";

/** Controller, relay and worker, three processes: a program with the library, and two of `receptor node`. */
export interface MeshUnderTest {
  readonly controller: Child;
  readonly relay: { readonly pid: number; readonly url: string };
}

export const PLUGIN = fileURLToPath(new URL("../plugin", import.meta.url));

/** Plugins run in the node, with certificates too: what is measured is the way, and not the second process. JSON is YAML. */
export const TRUSTED = { plugins: { bench: { trusted: true }, echo: { trusted: true } } };

export async function startMesh(stage: Stage, scheme: "tcp" | "tls" | "ws" = "tcp", certificates?: Certificates): Promise<MeshUnderTest> {
  const tls = certificates === undefined ? undefined : await written(stage, certificates);
  // All share one certificate, which names none of them.
  const env =
    tls === undefined
      ? {}
      : { RECEPTOR_TLS_CERT: tls.cert, RECEPTOR_TLS_KEY: tls.key, RECEPTOR_TLS_CA: tls.ca, RECEPTOR_TLS_IDENTITY: "none" };
  const controller = stage.child("controller");
  const url = await stage.node("relay", ["--listen", `${scheme}://127.0.0.1:0`], env);
  const plugins = ["--plugin", PLUGIN, "--plugin", pluginFolder("echo")];
  const config = join(stage.mesh.folder, "worker.yaml");
  await writeFile(config, JSON.stringify(TRUSTED));
  await stage.node("worker", ["--config", config, "--no-listen", "--peer", url, ...plugins, "--max-work", "64"], env);
  await controller.ask("start", { peer: url, ...(tls === undefined ? {} : { tls: { ...tls, identity: "none" } }) });
  return { controller, relay: { pid: stage.mesh.pid("relay"), url } };
}

/** The same as files, for the configuration. */
async function written(stage: Stage, certificates: Certificates): Promise<Certificates> {
  const path = (name: string): string => join(stage.mesh.folder, `${name}.pem`);
  await writeFile(path("cert"), certificates.cert);
  await writeFile(path("key"), certificates.key, { mode: 0o600 });
  await writeFile(path("ca"), certificates.ca);
  return { cert: path("cert"), key: path("key"), ca: path("ca") };
}
