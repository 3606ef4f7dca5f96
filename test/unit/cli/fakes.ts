import { PassThrough, Readable, Writable } from "node:stream";
import { MeshError } from "../../../src/core/errors.ts";
import { SILENT } from "../../../src/core/log.ts";
import type { ConnectOptions, Context, Services } from "../../../src/cli/context.ts";
import { Output } from "../../../src/cli/output.ts";
import { runCli } from "../../../src/cli/run.ts";
import type { MeshNode, Response, SendOptions, SendPayload, Status, Work, WorkEvent, WorkState } from "../../../src/node/api.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";

/** Keeps what was written. */
class Sink extends Writable {
  readonly chunks: Buffer[] = [];
  isTTY = false;
  columns = 100;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }

  bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
  /** Each line of stdout, parsed. */
  readonly objects: readonly unknown[];
  readonly connects: readonly ConnectOptions[];
}

export interface Setup {
  readonly node?: MeshNode;
  readonly services?: Partial<Services>;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: Readable;
  readonly terminal?: boolean;
  readonly signal?: AbortSignal;
  readonly onReload?: (listener: () => void) => void;
  readonly sleep?: (milliseconds: number) => void;
  /** Called with each chunk that goes to stdout, once it has been kept. */
  readonly onOutput?: (text: string) => void;
}

const unused = (name: string) => async (): Promise<never> => {
  throw new MeshError("INTERNAL", `${name} was not expected`);
};

/** Runs one command line against fakes. */
export async function cli(argv: readonly string[], setup: Setup = {}): Promise<Ran> {
  const stdout = new Sink();
  const stderr = new Sink();
  stdout.isTTY = stderr.isTTY = setup.terminal ?? false;
  const connects: ConnectOptions[] = [];
  const env = { NO_COLOR: "1", XDG_DATA_HOME: "/nowhere", ...setup.env };
  const out = new Output({ stdout, stderr, env });
  if (setup.onOutput !== undefined) {
    const write = out.write.bind(out);
    out.write = (data) => {
      const written = write(data);
      setup.onOutput?.(data.toString());
      return written;
    };
  }
  const services: Services = {
    connect: async (options) => {
      connects.push(options);
      if (setup.node === undefined) throw new MeshError("UNREACHABLE_MESH", "no peer answers");
      return setup.node;
    },
    createNode: unused("createNode"),
    createLogger: async () => SILENT,
    parseUrl: async () => parseMeshUrl,
    describeHolder: async () => undefined,
    probeListen: async () => undefined,
    npmVersion: async () => "10.0.0",
    installPlugin: unused("installPlugin"),
    removePlugin: unused("removePlugin"),
    listInstalled: unused("listInstalled"),
    membership: unused("membership"),
    ...setup.services,
  };
  const context: Context = {
    out,
    services,
    env,
    cwd: setup.cwd ?? "/nowhere",
    stdin: setup.stdin ?? Readable.from([]),
    signal: setup.signal ?? new AbortController().signal,
    now: () => 0,
    sleep: async (milliseconds) => setup.sleep?.(milliseconds),
    onReload: setup.onReload ?? (() => {}),
  };
  const exit = await runCli(argv, context);
  const text = stdout.bytes().toString();
  return {
    exit,
    stdout: text,
    stderr: stderr.bytes().toString(),
    bytes: stdout.bytes(),
    get objects() {
      return text
        .trim()
        .split("\n")
        .filter((line) => line !== "")
        .map((line): unknown => JSON.parse(line));
    },
    connects,
  };
}

export const STATUS: Status = {
  node: "hub",
  version: "0.1.0",
  uptime: 65,
  listening: ["tcp://127.0.0.1:8888"],
  plugins: [],
  nodes: [],
  links: [{ peer: "hub", url: "tcp://127.0.0.1:8888", direction: "out", cost: 1, rtt: 0.4, since: 3, secure: false }],
  edges: [],
  parked: { messages: 0, bytes: 0, destinations: [] },
  work: [],
  warnings: [],
};

export interface Sent {
  readonly target: string;
  readonly directive: string;
  readonly payload: SendPayload | undefined;
  readonly options: SendOptions;
}

/** A node that is linked to "hub"; what a test does not give ends in an error. */
export function fakeNode(parts: Partial<MeshNode> = {}): MeshNode & { readonly closed: () => number } {
  let closed = 0;
  const fail = (name: string) => (): never => {
    throw new MeshError("INTERNAL", `${name} was not expected`);
  };
  const node: MeshNode = {
    id: "cli-1",
    listening: [],
    listen: fail("listen"),
    peer: fail("peer"),
    unpeer: fail("unpeer"),
    reachable: async () => {},
    ping: fail("ping"),
    trace: fail("trace"),
    send: fail("send"),
    attach: fail("attach"),
    status: () => STATUS,
    events: fail("events"),
    queue: () => [],
    reload: fail("reload"),
    close: async () => {
      closed++;
    },
    async [Symbol.asyncDispose]() {
      closed++;
    },
    ...parts,
  };
  return Object.assign(node, { closed: () => closed });
}

export interface FakeResponse {
  readonly payload: string | Uint8Array | readonly Uint8Array[];
  readonly channel?: string;
}

export interface FakeWork {
  readonly id?: string;
  readonly node?: string;
  readonly parked?: { readonly node: string; readonly ttl: number };
  readonly responses?: readonly (string | Uint8Array | FakeResponse)[];
  readonly error?: MeshError;
  /** It ends before anybody took it. */
  readonly refused?: boolean;
  /** Runs until it is cancelled. */
  readonly endless?: boolean;
}

/** A work that goes its way at once. */
export function fakeWork(facts: FakeWork): Work & { readonly cancels: () => number } {
  const { id = "0190163d-8694-739b-aea5-966c26f8ad91", node = "worker" } = facts;
  let cancels = 0;
  let stop: () => void = () => {};
  const cancelled = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const failure = (): MeshError | undefined => (cancels > 0 ? new MeshError("CANCELLED", "cancelled by its sender") : facts.error);
  const state = (): WorkState => (failure() === undefined ? "succeeded" : failure()?.code === "CANCELLED" ? "cancelled" : "failed");
  const settle = async (): Promise<void> => {
    if (facts.endless === true) await cancelled;
    const error = failure();
    if (error !== undefined) throw error;
  };
  const work: Work = {
    id,
    node,
    get state() {
      return facts.endless === true && cancels === 0 ? "running" : state();
    },
    members: [],
    input: undefined,
    async *events(): AsyncGenerator<WorkEvent> {
      yield { type: "sent", id, node };
      if (facts.parked !== undefined) yield { type: "parked", id, ...facts.parked };
      if (facts.refused !== true) {
        yield { type: "accepted", id, node };
        yield { type: "running", id, node };
      }
      if (facts.endless === true) await cancelled;
      const error = failure();
      yield { type: "end", id, node, state: error === undefined ? "succeeded" : "failed", ...(error === undefined ? {} : { error }) };
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<Response> {
      let serial = 0;
      for (const response of facts.responses ?? [])
        yield fakeResponse(++serial, typeof response === "string" || response instanceof Uint8Array ? { payload: response } : response);
      await settle();
    },
    async forEach(each) {
      for await (const response of work) await each(response);
      return await work.result();
    },
    async cancel() {
      cancels++;
      stop();
    },
    async result() {
      await settle();
      return { state: "succeeded", responses: facts.responses?.length ?? 0, exitCode: undefined };
    },
  };
  return Object.assign(work, { cancels: () => cancels });
}

function fakeResponse(serial: number, { payload, channel }: FakeResponse): Response {
  const streamed = Array.isArray(payload) ? (payload as readonly Uint8Array[]) : undefined;
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload instanceof Uint8Array ? payload : new Uint8Array(0);
  return {
    serial,
    channel,
    payload: streamed === undefined ? payload : undefined,
    bytes: () => bytes,
    text: () => Buffer.from(bytes).toString(),
    json: () => JSON.parse(Buffer.from(bytes).toString()) as unknown,
    stream: () => (streamed === undefined ? Readable.from([bytes]) : Readable.from(streamed)),
  };
}

/** A node that answers every send with this work, and remembers what was sent. */
export function sendingNode(work: Work | ((sent: Sent) => Work), sent: Sent[] = []): MeshNode & { readonly closed: () => number } {
  return fakeNode({
    send: async (target, directive, payload, options = {}) => {
      const one = { target, directive, payload, options };
      sent.push(one);
      return typeof work === "function" ? work(one) : work;
    },
  });
}

/** A node whose peer answers a directive of the plugin `mesh` with these values. */
export function answeringNode(
  answers: Readonly<Record<string, readonly unknown[]>>,
  sent: Sent[] = [],
): MeshNode & { readonly closed: () => number } {
  return sendingNode(
    ({ directive }) => fakeWork({ node: "hub", responses: (answers[directive] ?? []).map((answer) => JSON.stringify(answer)) }),
    sent,
  );
}

export function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

export { PassThrough };
