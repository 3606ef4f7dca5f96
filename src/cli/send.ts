import { EXIT, isMeshError, MeshError, toMeshError } from "../core/errors.ts";
import type { MeshNode, SendOptions, Work } from "../node/api.ts";
import { type Arguments, usage } from "./arguments.ts";
import { type Context, interruptedExit } from "./context.ts";
import { CONNECT_TIMEOUT, withMesh } from "./mesh.ts";
import { openPayload, type PayloadSource } from "./send-payload.ts";
import { JsonPrinter, type Printer, RawPrinter, TextPrinter } from "./send-printer.ts";

/** How long a work that was given up may take to end before the command leaves. */
const CANCEL = 3_000;

/** `receptor send TARGET DIRECTIVE [PAYLOAD]`: the exit status is that of the worst end. */
export async function run(args: Arguments, context: Context): Promise<number> {
  const target = args.required("target");
  const directive = args.required("directive");
  const timeout = args.seconds("timeout", 1);
  const options = readOptions(args);
  if (context.out.json && args.flag("raw")) throw usage("--raw and --json exclude each other");
  // A stream can be read once, and a message on a disk carries its payload with it.
  const whole = /^(any|all):/.test(target) || options.durable === true || options.detach === true;
  const source = await openPayload(args.text("payload"), whole, context);
  const clock = timeout === undefined ? undefined : AbortSignal.timeout(timeout);
  const stop = clock === undefined ? context.signal : AbortSignal.any([context.signal, clock]);
  const inTime = { ...context, signal: stop };
  try {
    return await withMesh(
      args,
      inTime,
      (node) => send(node, { target, directive, source, options }, args, inTime),
      timeout ?? CONNECT_TIMEOUT,
    );
  } catch (error) {
    if (context.signal.aborted) return interruptedExit(context.signal);
    if (clock?.aborted === true && (isMeshError(error, "ABORTED") || isMeshError(error, "CANCELLED"))) throw tooLate(timeout);
    throw error;
  } finally {
    await source.close();
  }
}

function tooLate(milliseconds = 0): MeshError {
  return new MeshError("TIMEOUT", `it did not end within ${milliseconds / 1_000} s, and was cancelled`);
}

interface Order {
  readonly target: string;
  readonly directive: string;
  readonly source: PayloadSource;
  readonly options: SendOptions;
}

async function send(node: MeshNode, order: Order, args: Arguments, context: Context): Promise<number> {
  const { out, signal } = context;
  const { target, directive, source, options } = order;
  const work = await node.send(target, directive, await source.payload(), { ...options, signal });
  if (options.detach === true) {
    if (out.json) out.object({ type: work.state === "parked" ? "parked" : "accepted", id: work.id, node: work.node });
    else out.print(work.id);
    return EXIT.done;
  }
  const members = work.members.length > 0 ? work.members : [work];
  const printer: Printer = out.json
    ? new JsonPrinter(out)
    : args.flag("raw")
      ? new RawPrinter(out)
      : new TextPrinter(out, target.startsWith("all:"));
  const ends = await Promise.all(members.map((member) => follow(member, printer, signal, args)));
  return Math.max(...ends);
}

/** Tells the story of one work from beginning to end; resolves to the exit status that it gives. */
async function follow(work: Work, printer: Printer, signal: AbortSignal, args: Arguments): Promise<number> {
  const cancelled = onAbort(signal, work);
  let failure: MeshError | undefined;
  try {
    await Promise.race([story(work, printer), cancelled.gaveUp]);
  } catch (error) {
    failure = toMeshError(error);
  } finally {
    cancelled.forget();
  }
  if (failure === undefined) {
    await printer.end(work, "succeeded", undefined);
    return EXIT.done;
  }
  const timedOut = signal.aborted && isTimeout(signal.reason);
  // Nobody reads any more what became of it.
  if (signal.aborted && !timedOut && interruptedExit(signal) === EXIT.done) return EXIT.done;
  const error = timedOut ? tooLate(args.seconds("timeout")) : failure;
  const state = signal.aborted || work.state === "cancelled" || failure.code === "CANCELLED" ? "cancelled" : "failed";
  await printer.end(work, state, signal.aborted && !timedOut ? new MeshError("CANCELLED", "cancelled by its sender") : error);
  return signal.aborted && !timedOut ? interruptedExit(signal) : error.exit;
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === "TimeoutError";
}

/** Prints what happens; rejects with what the work failed with. */
async function story(work: Work, printer: Printer): Promise<void> {
  for await (const event of work.events()) {
    if (event.type === "parked") printer.parked(event);
    else if (event.type === "accepted") printer.accepted(event);
    // Responses come after this, in their own order.
    if (event.type === "accepted" || event.type === "running" || event.type === "end") break;
  }
  let failure: unknown;
  try {
    for await (const response of work) await printer.response(work, response);
  } catch (error) {
    failure = error;
  }
  await work.result();
  if (failure !== undefined) throw toMeshError(failure);
}

/** Cancels the work when the signal comes; `gaveUp` rejects where it does not end soon after. */
function onAbort(signal: AbortSignal, work: Work): { readonly gaveUp: Promise<never>; forget(): void } {
  let timer: NodeJS.Timeout | undefined;
  let giveUp: (error: MeshError) => void = () => {};
  const gaveUp = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  // Nobody may be waiting any more.
  gaveUp.catch(() => {});
  const cancel = (): void => {
    timer = setTimeout(() => giveUp(new MeshError("CANCELLED", "the work was told to stop, and has not said that it did")), CANCEL);
    work.cancel().catch((error: unknown) => giveUp(toMeshError(error)));
  };
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  return {
    gaveUp,
    forget() {
      signal.removeEventListener("abort", cancel);
      clearTimeout(timer);
    },
  };
}

function readOptions(args: Arguments): SendOptions {
  const ttl = args.seconds("ttl");
  const deadline = args.seconds("deadline", 1);
  const headers = args.list("header").map((text): [string, string] => {
    const at = text.indexOf("=");
    if (at < 1) throw usage(`--header is NAME=VALUE, not "${text}"`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
  const detach = args.flag("detach");
  return {
    // The handle comes at once, so that what happens on the way can be told.
    waitFor: detach ? "parked" : "sent",
    ...(ttl === undefined ? {} : { ttl }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(args.flag("durable") ? { durable: true } : {}),
    ...(detach ? { detach: true } : {}),
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
  };
}
