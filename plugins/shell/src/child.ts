import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { failure, type Request } from "./request.ts";

/** Environment variables of the node that a command may see; everything else stays with the node. */
const INHERITED = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** A command that runs, in a process group of its own. */
export interface Child {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves to the exit status (128 + signal, where one ended it), or rejects where it could not be started. */
  readonly exited: Promise<number>;
  /** Ends the whole group: SIGTERM, and SIGKILL after `killAfter`. Resolves when the command is gone; again is harmless. */
  end(): Promise<void>;
}

export function start(request: Request, killAfter: number): Child {
  const [program, ...args] = request.argv;
  const inherited = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const child = spawn(program, args, {
    cwd: request.command.cwd,
    env: { ...Object.fromEntries(inherited), ...request.command.env },
    detached: true,
    stdio: [request.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw failure("INTERNAL", `"${request.name}" has no output`);
  const exited = exitOf(child, request);
  let killer: NodeJS.Timeout | undefined;
  const terminate = (): void => {
    signalGroup(child, "SIGTERM");
    killer ??= setTimeout(() => signalGroup(child, "SIGKILL"), killAfter);
  };
  // What a command leaves behind in its group must not outlive it, nor hold its output open.
  const gone = exited.then(terminate, terminate);
  feed(child, request.stdin);

  let ending: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    terminate();
    await gone;
    clearTimeout(killer);
    signalGroup(child, "SIGKILL");
    stdout.destroy();
    stderr.destroy();
  };
  return { stdout, stderr, exited, end: () => (ending ??= end()) };
}

function exitOf(child: ChildProcess, request: Request): Promise<number> {
  return new Promise((done, fail) => {
    child.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "ENOENT" ? "there is no such program, or its working directory is missing" : cause.message;
      fail(failure("WORK_FAILED", `"${request.name}" could not be started: ${why}`, { exitCode: 127, cause }));
    });
    child.once("exit", (code, signal) => done(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** Writes the sender's input, at the command's pace. */
function feed(child: ChildProcess, input: string | Readable | undefined): void {
  const { stdin } = child;
  if (stdin === null || input === undefined) return;
  const source = typeof input === "string" ? [Buffer.from(input)] : input;
  // A command that ends before it has read everything is no failure of its own: its exit status says how it went.
  pipeline(source, stdin).catch(() => stdin.destroy());
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH: the group is gone already. EPERM: it is another user's by now, and not this node's to end.
    const expected = error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM");
    if (!expected) throw error;
  }
}
