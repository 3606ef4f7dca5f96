import { MeshError } from "../core/errors.ts";
import type { MemoryHub } from "./memory.ts";
import { TcpTransport } from "./tcp.ts";
import type { TlsOptions } from "./tls-options.ts";
import { TlsSettings } from "./tls-settings.ts";
import type { DialOptions, Listener, ListenHandlers, Pipe, Transport } from "./transport.ts";
import { type MeshUrl, parseMeshUrl, type Scheme } from "./url.ts";
import type { WsOptions } from "./ws.ts";

export interface TransportsOptions {
  /** For tls and wss. Default none: such URLs can be dialled with the system's authorities, and not listened on. */
  readonly tls?: TlsOptions;
  readonly ws?: WsOptions;
  /** For memory URLs; they meet only those of the same hub. */
  readonly memory?: MemoryHub;
}

/** Every transport, chosen by the scheme of the URL. A text is parsed as `parseMeshUrl` does. */
export interface Transports {
  dial(url: MeshUrl | string, options: DialOptions): Promise<Pipe>;
  listen(url: MeshUrl | string, handlers: ListenHandlers): Promise<Listener>;
  /** New certificates, for new connections; open ones stay. Throws CONFIG_INVALID and keeps the old ones. */
  replaceTls(tls: TlsOptions): void;
}

/** Throws CONFIG_INVALID where the certificates cannot be used. */
export function createTransports(options: TransportsOptions = {}): Transports {
  const settings = new TlsSettings(options.tls ?? {});
  const ws = later(async () => new (await import("./ws.ts")).WsTransport(settings, options.ws));
  const byScheme: Readonly<Record<Scheme, Transport | undefined>> = {
    tcp: new TcpTransport(),
    tls: later(async () => new (await import("./tls.ts")).TlsTransport(settings)),
    ws,
    wss: ws,
    memory: options.memory,
  };
  const resolve = (given: MeshUrl | string): { url: MeshUrl; transport: Transport } => {
    const url = typeof given === "string" ? parseMeshUrl(given) : given;
    const transport = byScheme[url.scheme];
    if (transport === undefined) throw new MeshError("INVALID_ARGUMENT", `${url.scheme}:// works only inside one program that sets it up`);
    return { url, transport };
  };
  return {
    async dial(given, dialOptions) {
      const { url, transport } = resolve(given);
      return await transport.dial(url, dialOptions);
    },
    async listen(given, handlers) {
      const { url, transport } = resolve(given);
      return await transport.listen(url, handlers);
    },
    replaceTls: (tls) => settings.replace(tls),
  };
}

/** Loaded with the first URL of theirs: few nodes have WebSockets, which cost 4 MiB, and few without certificates TLS. */
function later(load: () => Promise<Transport>): Transport {
  let loaded: Transport | undefined;
  const transport = async (): Promise<Transport> => (loaded ??= await load());
  return {
    dial: async (url, dialOptions) => await (await transport()).dial(url, dialOptions),
    listen: async (url, handlers) => await (await transport()).listen(url, handlers),
  };
}
