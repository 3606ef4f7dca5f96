/** Where the rooms log: fields first, then a short constant message. A pino logger is one. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A log that can make others, each of whose lines carries `fields` too. */
export interface Logger extends Log {
  child(fields: Readonly<Record<string, unknown>>): Logger;
}

const nothing = (): void => {};

/** Writes nothing. */
export const SILENT: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => SILENT };
