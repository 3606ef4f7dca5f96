/** How one stream went. Times in milliseconds. */
export interface StreamReport {
  readonly bytes: number;
  readonly sha256: string;
  readonly milliseconds: number;
  /** The longest time between two pieces, and how many bytes had come before it. */
  readonly pause: number;
  readonly pauseAt: number;
}

export interface StreamRequest {
  /** What it is called in later questions. */
  readonly stream: string;
  readonly to: string;
  readonly bytes: number;
  /** Bytes a second at most. */
  readonly rate?: number;
}

/** What a controller process can be asked. */
export interface Questions {
  /** Joins by `peers`, and resolves when `worker` can be reached. `library`: the URL of the built package. */
  start(argument: {
    readonly library: string;
    readonly id: string;
    readonly peers: readonly string[];
    readonly worker: string;
  }): Promise<void>;
  /** Streams a payload to `echo:sink`; the hash and the bytes are what the sink saw, the times what the sender did. */
  upload(argument: StreamRequest): Promise<StreamReport>;
  /** Reads a response of `echo:source`. */
  download(argument: StreamRequest): Promise<StreamReport>;
  /** Resolves when a stream has come so far. */
  reached(argument: { readonly stream: string; readonly bytes: number }): Promise<void>;
  bytes(argument: { readonly stream: string }): Promise<number>;
  /** Round trips in milliseconds, one after the other: of a ping, and of one byte over plain sockets by `port`. */
  pings(argument: { readonly to: string; readonly port: number; readonly count: number; readonly interval: number }): Promise<Pings>;
  /** The next hop to a node. */
  via(argument: { readonly to: string }): Promise<string | null | undefined>;
}

export interface Pings {
  readonly mesh: readonly number[];
  readonly raw: readonly number[];
}

/** One question, as it travels to the process. */
export interface Asked {
  readonly number: number;
  readonly what: keyof Questions;
  readonly argument: unknown;
}
