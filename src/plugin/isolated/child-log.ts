import type { Logger } from "../../core/log.ts";
import type { Channel } from "./channel.ts";
import { BOUNDS, KIND } from "./frames.ts";
import { toJson, type LogLine } from "./messages.ts";

/** Logs through the node. A line that is too long for one frame goes without its fields. */
export class ChildLog implements Logger {
  readonly #channel: Channel;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(channel: Channel, fields: Readonly<Record<string, unknown>> = {}) {
    this.#channel = channel;
    this.#fields = fields;
  }

  debug(fields: object, message: string): void {
    this.#write("debug", fields, message);
  }

  info(fields: object, message: string): void {
    this.#write("info", fields, message);
  }

  warn(fields: object, message: string): void {
    this.#write("warn", fields, message);
  }

  error(fields: object, message: string): void {
    this.#write("error", fields, message);
  }

  child(fields: Readonly<Record<string, unknown>>): Logger {
    return new ChildLog(this.#channel, { ...this.#fields, ...fields });
  }

  #write(level: LogLine["level"], fields: object, message: string): void {
    const line = toJson({ level, fields: { ...this.#fields, ...fields }, message });
    const short = line.length <= BOUNDS.frame ? line : toJson({ level, fields: this.#fields, message: message.slice(0, 1_000) });
    this.#channel.send(KIND.log, 0, short);
  }
}
