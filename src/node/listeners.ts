import { MeshError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { ResourceStack } from "../core/resources.ts";
import type { Transports } from "../transports/index.ts";
import { formatMeshUrl, isLoopback, type MeshUrl } from "../transports/url.ts";
import type { Engine } from "./engine/engine.ts";

export interface ListenerOptions {
  /** Listeners beyond loopback are allowed without a certificate. */
  readonly insecure: boolean;
  readonly log: Logger;
  /** A connection was closed for what its certificate lacks. */
  onRefused(error: MeshError, remote: string): void;
  /** Accepting has trouble, or works again. */
  onTrouble(url: string, error: MeshError | undefined): void;
}

/** Throws INSECURE_LISTEN for a listener that others could reach and that has no certificate. */
export function checkListener(url: MeshUrl, insecure: boolean): void {
  if (insecure || url.scheme === "tls" || url.scheme === "wss" || url.scheme === "memory" || isLoopback(url.host)) return;
  throw new MeshError(
    "INSECURE_LISTEN",
    `${formatMeshUrl(url)} can be reached from other machines, and anyone who reaches it could run work here: use tls:// with a certificate, a loopback address, or --insecure`,
    { data: { url: formatMeshUrl(url) } },
  );
}

/** Opens a listener whose pipes become links; resolves to its URL as bound. */
export async function openListener(
  url: MeshUrl,
  engine: Engine,
  transports: Transports,
  resources: ResourceStack,
  options: ListenerOptions,
): Promise<MeshUrl> {
  checkListener(url, options.insecure);
  const listener = await transports.listen(url, {
    admit: (host) => engine.links.admits(host),
    onRefused: (error, remote) => options.onRefused(error, remote),
    onTurnedAway: () => engine.links.turnedAway(),
    onPipe: (pipe) => engine.accept(pipe, formatMeshUrl(url), url.cost),
    onTrouble: (error) => {
      options.onTrouble(formatMeshUrl(url), error);
      if (error !== undefined) options.log.warn({ url: formatMeshUrl(url), code: error.code }, "accepting paused");
      else options.log.info({ url: formatMeshUrl(url) }, "accepting works again");
    },
  });
  resources.defer(() => listener.close());
  return listener.url;
}
