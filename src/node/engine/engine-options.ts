import type { NodeId } from "../../core/ids.ts";
import type { Millis } from "../../core/instant.ts";
import type { Ciphers } from "../../sealing/ports.ts";
import type { SealingMode } from "../../sealing/sealing.ts";
import type { Signatures } from "../../routing/proof.ts";

/** With what a node seals and opens. */
export interface SealingMeans {
  readonly mode: SealingMode;
  readonly ciphers: Ciphers;
  /** This node's X25519 key as it advertises it. */
  readonly sealingKey: Uint8Array;
}

export interface EngineOptions {
  readonly id: NodeId;
  /** 32 hexadecimal digits: 8 that name the store, 24 that are new at each start. */
  readonly boot: string;
  /** Already raised and on disk. */
  readonly epoch: number;
  readonly recentBoots: readonly string[];
  readonly version: string;
  readonly groups: readonly string[];
  readonly leaf: boolean;
  readonly ephemeral: boolean;
  readonly store: { readonly maxMessages: number; readonly maxBytes: number };
  readonly retention: Millis;
  /** Bytes a second that each neighbour may have this node carry; undefined: as many as it likes. */
  readonly transit?: number | undefined;
  /** In a mesh with an authority. */
  readonly signatures?: Signatures | undefined;
  /** In a mesh with an authority: how what is said end to end is sealed. */
  readonly sealing?: SealingMeans | undefined;
}
