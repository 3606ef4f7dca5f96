/** What a plugin's process may have. */
export interface Isolation {
  /** Bytes that it may hold resident; its heap may be as large. */
  readonly memory: number;
  /** Milliseconds that one work may take; undefined: as the action says. */
  readonly time: number | undefined;
  /** Names of the environment's variables that it gets beside those that all get. */
  readonly environment: readonly string[];
  /**
   * Whether the node's data folder is kept out of its sight, or with it these folders. Undefined: where the system lets a node do so
   * that is not root.
   */
  readonly hide: boolean | readonly string[] | undefined;
  /** The user of the operating system that it runs as: a name or a number. Undefined: the node's. */
  readonly user: string | undefined;
}

export const DEFAULT_MEMORY: number = 512 * 2 ** 20;
