import type { NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import type { Signatures } from "../routing/proof.ts";

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
  /** In a mesh with an authority. */
  readonly signatures?: Signatures | undefined;
}
