import { toMeshError } from "../core/errors.ts";
import type { Services } from "./context.ts";

/** The real ones. Each is imported when it is first needed, so that a command starts with no more than it uses. */
export const services: Services = {
  connect: async (options) => (await import("../node/connect.ts")).connectMesh(options),
  createNode: async (options, extra) => (await import("../node/create.ts")).createNode(options, extra),
  createLogger: async (config) => (await import("../node/for-cli.ts")).createLogger(config),
  parseUrl: async () => (await import("../node/for-cli.ts")).parseMeshUrl,
  describeHolder: async (folder) => (await import("../node/for-cli.ts")).describeHolder(folder),
  installPlugin: async (folder, spec, options) => (await import("../node/plugins.ts")).installPlugin(folder, spec, options),
  removePlugin: async (folder, name) => void (await (await import("../node/plugins.ts")).removePlugin(folder, name)),
  listInstalled: async (folder) => (await import("../node/plugins.ts")).listInstalled(folder),
  membership: async () => await import("../node/membership/membership.ts"),
  probeListen,
  npmVersion,
};

async function npmVersion(): Promise<string> {
  const [{ execFile }, { promisify }] = await Promise.all([import("node:child_process"), import("node:util")]);
  return (await promisify(execFile)("npm", ["--version"], { timeout: 10_000 })).stdout.trim();
}

async function probeListen(host: string, port: number): Promise<string | undefined> {
  const { createServer } = await import("node:net");
  return await new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(toMeshError(error).message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
