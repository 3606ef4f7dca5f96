import { MeshError } from "../../../src/core/errors.ts";
import type { MessageId } from "../../../src/core/ids.ts";
import { FLAG, FRAME, ROUTED_HEADER } from "../../../src/wire/frame.ts";
import { decodeNotice, decodeReceipt } from "../../../src/wire/outcome.ts";
import { Net, type Peer } from "../../unit/delivery/harness.ts";
import { type Case, ID } from "../case.ts";

/** Kinds whose bytes delivery writes and reads itself: what a node sends in some situation, and what another does on hearing it. */
interface Situation {
  readonly name: string;
  readonly means: string;
  readonly kind: number;
  /** Of the frames of that kind, the first that has it. */
  readonly flag?: number;
  /** What the hearer does of it. */
  readonly value: unknown;
  readonly nodes: readonly string[];
  /** Up to where the frame is sent, by whom, and who hears it. */
  prepare(net: Net, a: Peer, b: Peer): MessageId;
  readonly hearer: "a" | "b" | "x";
  /** Asked of the hearer after the frame. */
  deed(net: Net, hearer: Peer): unknown;
}

/** A message of `a` that has to wait at `x`. */
function waits(net: Net, a: Peer, durable = false): MessageId {
  net.via.set("a>b", "x");
  net.cut.add("x>b");
  return a.send("b", { durable });
}

function released(net: Net): unknown {
  net.routes({ open: ["x>b"] });
  net.run(10);
  return lastNotice(net);
}

function lastNotice(net: Net): unknown {
  const notice = net.over("x>a", FRAME.notice).at(-1);
  return notice === undefined ? undefined : decodeNotice(notice.frame.subarray(ROUTED_HEADER)).type;
}

const SITUATIONS: readonly Situation[] = [
  {
    name: "confirm",
    means: "the origin wants what was accepted on hold",
    kind: FRAME.confirm,
    value: ["confirm"],
    nodes: ["a", "b"],
    prepare: (_net, a, b) => {
      b.onRequest = ({ id }) => b.delivery.destination.accept(id);
      return a.send("b", { hold: true });
    },
    hearer: "b",
    deed: (_net, { told }) => told,
  },
  {
    name: "custody",
    means: "the origin leaves a parked message to its keeper, which says when it is released",
    kind: FRAME.custody,
    value: "released",
    nodes: ["a", "x", "b"],
    prepare: (net, a) => waits(net, a),
    hearer: "x",
    deed: released,
  },
  {
    name: "custody-any-life",
    means: "the origin leaves a parked message to its keeper, in whatever life that is",
    kind: FRAME.custody,
    value: "released",
    nodes: ["a", "x", "b"],
    prepare: (net, a) => {
      a.believes = { life: 0 };
      return waits(net, a);
    },
    hearer: "x",
    deed: released,
  },
  {
    name: "custody-asked",
    means: "the origin asks its keeper whether it still has the message",
    kind: FRAME.custody,
    flag: FLAG.probe,
    value: "parked",
    nodes: ["a", "x", "b"],
    prepare: (net, a) => {
      const id = waits(net, a);
      net.run(6_000);
      return id;
    },
    hearer: "x",
    deed: lastNotice,
  },
  {
    name: "custody-asked-of-copies",
    means: "the origin asks where a message waits of which it has sent other copies, and leaves it to nobody",
    kind: FRAME.custody,
    flag: FLAG.resent,
    value: "parked",
    nodes: ["a", "x", "b"],
    prepare: (net, a) => {
      const id = waits(net, a, true);
      net.run(6_000);
      return id;
    },
    hearer: "x",
    deed: lastNotice,
  },
  {
    name: "attach",
    means: "somebody wants the responses from the fourth on",
    kind: FRAME.attach,
    value: { type: "attached", offset: 120_024, serial: 4, generation: 1 },
    nodes: ["a", "b"],
    prepare: (net, a, b) => {
      b.onRequest = ({ id }) => {
        const { destination } = b.delivery;
        destination.accept(id);
        for (let i = 0; i < 5; i++) destination.respond(id, { content: "bytes", channel: undefined }, new Uint8Array(40_000));
      };
      const id = a.send("b");
      net.run(0.5);
      a.act(({ origin }) => origin.detach(id));
      net.run(100);
      a.act(({ origin }) => origin.attach(net.clock.now, id, b.id, 4, 5_000));
      return id;
    },
    hearer: "b",
    deed: (net) => {
      const receipt = net.over("b>a", FRAME.receipt).at(-1);
      return receipt === undefined ? undefined : decodeReceipt(receipt.frame.subarray(ROUTED_HEADER));
    },
  },
  {
    name: "reset-up",
    means: "the origin cancels",
    kind: FRAME.reset,
    value: ["cancel CANCELLED"],
    nodes: ["a", "b"],
    prepare: (net, a, b) => {
      b.onRequest = ({ id }) => b.delivery.destination.accept(id);
      const id = a.send("b");
      net.run(10);
      a.act(({ origin }) => origin.cancel(net.clock.now, id, new MeshError("CANCELLED", "enough")));
      return id;
    },
    hearer: "b",
    deed: (_net, { told }) => told,
  },
  {
    name: "echo",
    means: "a ping, which is answered",
    kind: FRAME.echo,
    value: 1,
    nodes: ["a", "b"],
    prepare: (_net, a, b) => ping(a, b),
    hearer: "b",
    deed: (net) => net.over("b>a", FRAME.echoReply).length,
  },
  {
    name: "echo-reply",
    means: "the answer to a ping",
    kind: FRAME.echoReply,
    value: [{ node: "b", version: "1.2.3", running: 1, queued: 2, hops: 1 }],
    nodes: ["a", "b"],
    prepare: (_net, a, b) => ping(a, b),
    hearer: "a",
    deed: (_net, { echoes }) => echoes,
  },
];

function ping(a: Peer, b: Peer): MessageId {
  a.act(({ echo }) => echo.ask(ID, b.id));
  return ID;
}

/** The situation up to the frame, which is caught and does not arrive. */
function upTo(situation: Situation): { readonly net: Net; readonly frame: Uint8Array } {
  const net = new Net(situation.nodes);
  let frame: Uint8Array | undefined;
  net.lose = (flight) => {
    if (flight.kind !== situation.kind || (flight.flags & (situation.flag ?? 0)) !== (situation.flag ?? 0)) return false;
    frame ??= flight.frame;
    return true;
  };
  situation.prepare(net, net.node("a"), net.node("b"));
  net.run(200);
  if (frame === undefined) throw new RangeError(`no frame of kind ${situation.kind} was sent`);
  return { net, frame };
}

export const DEED_CASES: readonly Case[] = SITUATIONS.map((situation) => ({
  name: situation.name,
  means: situation.means,
  value: situation.value,
  encode: () => upTo(situation).frame,
  decode: (bytes) => {
    const { net } = upTo(situation);
    net.lose = () => false;
    const hearer = net.node(situation.hearer);
    hearer.receive(bytes.slice());
    net.run(50);
    return situation.deed(net, hearer);
  },
}));
