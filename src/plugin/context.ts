import type { MessageId, NodeId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import type { WorkAbort } from "./abort.ts";
import type { StartRequest } from "./contract.ts";
import type { ChannelResponse, Context, Payload } from "./definition.ts";
import { onChannel } from "./runner.ts";

/** What one work's plugin is told. Its log and its signal are made when they are first asked for: most works use neither. */
export class WorkContext implements Context {
  readonly id: MessageId;
  readonly node: NodeId;
  readonly sender: NodeId;
  readonly plugin: string;
  readonly action: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly options: unknown;
  readonly #abort: WorkAbort;
  readonly #parent: Logger;
  #log: Logger | undefined;

  constructor(request: StartRequest, node: NodeId, options: unknown, log: Logger) {
    this.id = request.id;
    this.node = node;
    this.sender = request.sender;
    this.plugin = request.plugin;
    this.action = request.action;
    this.headers = request.headers;
    this.options = options;
    this.#abort = request.abort;
    this.#parent = log;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get log(): Logger {
    this.#log ??= this.#parent.child({ plugin: this.plugin, work: this.id });
    return this.#log;
  }

  /** Bound to nothing, so that a plugin may take it out. */
  readonly respond: (payload: Payload, channel: string) => ChannelResponse = onChannel;
}
