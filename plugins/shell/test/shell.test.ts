import { spawnSync } from "node:child_process";
import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import plugin from "../src/index.ts";
import { collect, isEndedBy, type Received, type RunOptions, runAction } from "../../../test/support/plugin-harness.ts";

const node = (script: string): string[] => [process.execPath, "-e", script];

const commands = {
  hello: "echo hello",
  both: { run: "echo out; echo err >&2", shell: true },
  fail: { run: "echo partly; exit 3", shell: true },
  killed: { run: "kill -9 $$", shell: true },
  echo: { run: "echo fixed", args: true },
  script: { run: 'echo "$1-$2"', shell: true, args: true },
  cat: "cat",
  deaf: { run: "cat", stdin: false },
  env: { run: "env", env: { EXTRA: "yes" } },
  pwd: { run: "pwd", cwd: "/" },
  missing: "receptor-no-such-program",
  slow: { run: "sleep 60", timeout: 50 },
  sleep: { run: "echo started; sleep 60", shell: true },
  stubborn: { run: 'trap "" TERM; echo started; while :; do sleep 60; done', shell: true },
  family: { run: "sleep 60 & echo $!; wait", shell: true },
  orphan: { run: "sleep 60 & echo $!", shell: true },
  letters: {
    run: node(
      "for (const part of ['gr\\u00fc', '\\u20ac']) for (const byte of Buffer.from(part)) require('fs').writeSync(1, Uint8Array.of(byte))",
    ),
  },
  much: { run: "head -c 3000000 /dev/zero", shell: true },
  yes: "yes",
};

const run = (payload: string | Readable, more: RunOptions = {}): AsyncGenerator<Received> =>
  runAction(plugin, "run", payload, { options: { commands, killAfter: 100 }, ...more });

const text = (responses: readonly Received[], channel?: string): string =>
  Buffer.concat(responses.filter((one) => one.channel === channel).map((one) => one.payload as Uint8Array)).toString();

/** Also false for what has ended, and whose parent has not asked how: in a container often nobody does. */
const isAlive = (pid: number): boolean => {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
};

describe("shell:run", () => {
  it("runs a command by its name", async () => {
    expect(text(await collect(run("hello")))).toBe("hello\n");
    expect(text(await collect(run('{"command":"hello"}')))).toBe("hello\n");
  });

  it("sends stdout and stderr as separate responses", async () => {
    const responses = await collect(run("both"));
    expect(text(responses)).toBe("out\n");
    expect(text(responses, "stderr")).toBe("err\n");
  });

  it("fails with the exit status, after the output", async () => {
    const seen: Received[] = [];
    const failing = async (): Promise<void> => {
      for await (const response of run("fail")) seen.push(response);
    };
    await expect(failing()).rejects.toMatchObject({ code: "WORK_FAILED", exitCode: 3 });
    expect(text(seen)).toBe("partly\n");
  });

  it("counts a signal as 128 and its number", async () => {
    await expect(collect(run("killed"))).rejects.toMatchObject({ code: "WORK_FAILED", exitCode: 137 });
  });

  it("says that a program is missing", async () => {
    await expect(collect(run("missing"))).rejects.toMatchObject({
      code: "WORK_FAILED",
      exitCode: 127,
      message: expect.stringContaining("no such program"),
    });
  });

  it("refuses what is not configured, and names what is", async () => {
    await expect(collect(run("rm -rf /"))).rejects.toMatchObject({ code: "DENIED", message: expect.stringContaining("hello, both") });
    await expect(collect(run("__proto__"))).rejects.toMatchObject({ code: "DENIED" });
  });

  it("refuses everything without configuration, and says what to put there", async () => {
    await expect(collect(run("uptime", { options: undefined }))).rejects.toMatchObject({
      code: "DENIED",
      message: expect.stringContaining("commands: { uptime"),
    });
  });

  it("takes a sender's arguments only where the configuration allows them", async () => {
    expect(text(await collect(run('{"command":"echo","args":["a b","$HOME"]}')))).toBe("fixed a b $HOME\n");
    expect(text(await collect(run("echo one two")))).toBe("fixed one two\n");
    expect(text(await collect(run('{"command":"script","args":["a","; echo no"]}')))).toBe("a-; echo no\n");
    await expect(collect(run("hello world"))).rejects.toMatchObject({
      code: "DENIED",
      message: expect.stringContaining("commands.hello.args"),
    });
  });

  it.each(["", "{", '{"command":1}', '{"command":"cat","args":"x"}', '{"command":"cat","stdin":1}', '{"command":"cat","user":"root"}'])(
    "refuses the payload %s with INVALID_ARGUMENT",
    async (payload) => {
      await expect(collect(run(payload))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("writes stdin from the payload", async () => {
    expect(text(await collect(run('{"command":"cat","stdin":"grüße"}')))).toBe("grüße");
  });

  it("streams the whole payload to stdin where a header names the command", async () => {
    const input = new PassThrough();
    const seen: string[] = [];
    input.write("ping");
    for await (const { payload } of run(input, { headers: { command: "cat" } })) {
      seen.push(Buffer.from(payload as Uint8Array).toString());
      if (seen.length === 1) input.write("pong");
      else input.end();
    }
    expect(seen).toEqual(["ping", "pong"]);
  });

  it("refuses stdin where the configuration does", async () => {
    await expect(collect(run('{"command":"deaf","stdin":"x"}'))).rejects.toMatchObject({
      code: "DENIED",
      message: expect.stringContaining("commands.deaf.stdin"),
    });
  });

  it("does not mind a command that does not read its input", async () => {
    const much = Readable.from([Buffer.alloc(1_000_000)]);
    expect(text(await collect(run(much, { headers: { command: "hello" } })))).toBe("hello\n");
  });

  it("shows a command only the listed variables and the configured ones", async () => {
    process.env.RECEPTOR_TEST_SECRET = "secret";
    const lines = text(await collect(run("env")))
      .trim()
      .split("\n");
    delete process.env.RECEPTOR_TEST_SECRET;
    expect(lines).toContain("EXTRA=yes");
    const names = lines.map((line) => line.split("=")[0]);
    expect(names.filter((name) => !["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "EXTRA"].includes(name ?? ""))).toEqual([]);
  });

  it("runs in the configured folder", async () => {
    expect(text(await collect(run("pwd")))).toBe("/\n");
  });

  it("passes on megabytes whole", async () => {
    expect(text(await collect(run("much"))).length).toBe(3_000_000);
  });

  it("never tears a character apart", async () => {
    const responses = await collect(run("letters"));
    expect(text(responses)).toBe("grü€");
    for (const { payload } of responses) expect(Buffer.from(payload as Uint8Array).toString()).not.toContain("\uFFFD");
  });

  it("ends a command that takes too long", async () => {
    await expect(collect(run("slow"))).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", message: expect.stringContaining("50 ms") });
  });

  it.each(["sleep", "stubborn"])("ends %s when it is cancelled", async (payload) => {
    const abort = new AbortController();
    const reason = new Error("cancelled");
    const cancelled = async (): Promise<void> => {
      for await (const response of run(payload, { signal: abort.signal })) {
        expect(text([response])).toBe("started\n");
        abort.abort(reason);
      }
    };
    await expect(cancelled()).rejects.toSatisfy(isEndedBy(reason));
  });

  it("ends the whole process group when it is cancelled", async () => {
    const abort = new AbortController();
    let pid = 0;
    const cancelled = async (): Promise<void> => {
      for await (const response of run("family", { signal: abort.signal })) {
        pid = Number(text([response]));
        abort.abort(new Error("cancelled"));
      }
    };
    await expect(cancelled()).rejects.toThrow("cancelled");
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it("leaves nothing behind when a command ends before what it started", async () => {
    const pid = Number(text(await collect(run("orphan"))));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it("ends a command whose responses nobody reads any more", async () => {
    let bytes = 0;
    for await (const { payload } of run("yes")) {
      bytes += (payload as Uint8Array).length;
      if (bytes > 100_000) break;
    }
    expect(bytes).toBeGreaterThan(100_000);
  });
});
