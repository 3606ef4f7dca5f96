import { FIRST_ROUTED_KIND, FRAME } from "../wire/frame.ts";

/**
 * Where a session is. greeting: the peer has not said hello. judging: it has, and the engine has not decided. admitted: we have
 * admitted the peer, and wait for the sign that it has admitted us. up: both have. closing: over for the engine, the port is still
 * sending what was written. closed: the port is closed too.
 */
export type LinkState = "greeting" | "judging" | "admitted" | "up" | "closing" | "closed";

/** What may come: a frame, by its kind; the deadline of the state; the end of the port. */
export type LinkEvent = "hello" | "keepalive" | "goodbye" | "link" | "unknown" | "routed" | "deadline" | "pipe-closed";

/**
 * hang-up: close without a word. refuse: goodbye with PROTOCOL_ERROR. confirm: the peer has admitted us,
 * the link is up. abort: the port had its time to send what was written.
 */
export type LinkAction =
  | "greet"
  | "hang-up"
  | "refuse"
  | "confirm"
  | "answer"
  | "farewell"
  | "deliver-link"
  | "deliver-routed"
  | "slow"
  | "check-life"
  | "abort"
  | "lost"
  | "gone"
  | "ignore";

/** Every event in every state. */
export const TRANSITIONS: Readonly<Record<LinkState, Readonly<Record<LinkEvent, LinkAction>>>> = {
  greeting: {
    hello: "greet",
    keepalive: "hang-up",
    goodbye: "hang-up",
    link: "hang-up",
    unknown: "hang-up",
    routed: "hang-up",
    deadline: "slow",
    "pipe-closed": "lost",
  },
  judging: {
    hello: "refuse",
    keepalive: "ignore",
    goodbye: "farewell",
    link: "refuse",
    unknown: "ignore",
    routed: "refuse",
    deadline: "slow",
    "pipe-closed": "lost",
  },
  admitted: {
    hello: "refuse",
    keepalive: "confirm",
    goodbye: "farewell",
    link: "refuse",
    unknown: "ignore",
    routed: "refuse",
    deadline: "slow",
    "pipe-closed": "lost",
  },
  up: {
    hello: "refuse",
    keepalive: "answer",
    goodbye: "farewell",
    link: "deliver-link",
    unknown: "deliver-link",
    routed: "deliver-routed",
    deadline: "check-life",
    "pipe-closed": "lost",
  },
  closing: {
    hello: "ignore",
    keepalive: "ignore",
    goodbye: "ignore",
    link: "ignore",
    unknown: "ignore",
    routed: "ignore",
    deadline: "abort",
    "pipe-closed": "gone",
  },
  closed: {
    hello: "ignore",
    keepalive: "ignore",
    goodbye: "ignore",
    link: "ignore",
    unknown: "ignore",
    routed: "ignore",
    deadline: "ignore",
    "pipe-closed": "ignore",
  },
};

const LINK_KINDS: ReadonlySet<number> = new Set([FRAME.digest, FRAME.pull, FRAME.advertisements, FRAME.denied]);

/** The event that a frame of `kind` is. */
export function eventOf(kind: number): LinkEvent {
  if (kind >= FIRST_ROUTED_KIND) return "routed";
  if (kind === FRAME.hello) return "hello";
  if (kind === FRAME.keepalive) return "keepalive";
  if (kind === FRAME.goodbye) return "goodbye";
  return LINK_KINDS.has(kind) ? "link" : "unknown";
}

/** Whether the link carries nothing more. */
export function isOver(state: LinkState): boolean {
  return state === "closing" || state === "closed";
}
