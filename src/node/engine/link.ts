import type { NodeId } from "../../core/ids.ts";
import type { SessionRates } from "../../sealing/sealing.ts";
import type { LinkSession } from "../../link/session.ts";
import type { Pipe } from "../../transports/transport.ts";
import type { Peer } from "./peer.ts";

/** One session with a peer, and what the node knows around it. */
export interface Link {
  readonly id: number;
  readonly session: LinkSession;
  readonly pipe: Pipe;
  readonly url: string;
  readonly direction: "in" | "out";
  readonly cost: number;
  /** The configured peer whose dial this is. */
  readonly configured: Peer | undefined;
  /** The peer's id once it has greeted; before that, nobody's. */
  peer: NodeId;
  ephemeral: boolean;
  /** It is in the table of links; a session that was refused never is. */
  up: boolean;
  /** What comes by it may make this node spend so much on sessions that it does not know. */
  readonly rates: SessionRates;
  /** Routing has exchanged what each side knew: it carries traffic. */
  adjacent: boolean;
}
