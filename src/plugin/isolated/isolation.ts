/** What a plugin's process may have. */
export interface Isolation {
  /** Bytes that it may hold resident; its heap may be as large. */
  readonly memory: number;
  /** Milliseconds that one work may take; undefined: as the action says. */
  readonly time: number | undefined;
  /** Names of the environment's variables that it gets beside those that all get. */
  readonly environment: readonly string[];
}

export const DEFAULT_MEMORY: number = 512 * 2 ** 20;
