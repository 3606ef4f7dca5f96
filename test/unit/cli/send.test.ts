import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { cli, fakeNode, fakeWork, lines, sendingNode, type Sent } from "./fakes.ts";

const ID = "0190163d-8694-739b-aea5-966c26f8ad91";
const failed = new MeshError("WORK_FAILED", "it broke");

async function file(content: string | Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "receptor-send-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "payload");
  await writeFile(path, content);
  return path;
}

async function read(payload: unknown): Promise<string> {
  if (payload instanceof Readable) {
    const parts: Buffer[] = [];
    for await (const part of payload) parts.push(Buffer.from(part as Uint8Array));
    return Buffer.concat(parts).toString();
  }
  return payload instanceof Uint8Array ? Buffer.from(payload).toString() : String(payload);
}

describe("receptor send, for people", () => {
  it("prints responses as they come, each with a line end, and nothing else on stdout", async () => {
    const node = sendingNode(fakeWork({ responses: ["hello", "with end\n", ""] }));
    const ran = await cli(["send", "worker", "echo:run", "hello"], { node });
    expect(ran).toMatchObject({ exit: 0, stdout: "hello\nwith end\n\n", stderr: "" });
    expect(node.closed()).toBe(1);
  });

  it("tells on stderr where a message waits, and how long", async () => {
    const work = fakeWork({ parked: { node: "relay", ttl: 299_400 }, responses: ["x"] });
    expect(await cli(["send", "w", "a:b"], { node: sendingNode(work) })).toMatchObject({
      stdout: "x\n",
      stderr: "parked at relay, 4m59s left\n",
    });
    expect((await cli(["send", "w", "a:b", "-q"], { node: sendingNode(work) })).stderr).toBe("");
  });

  it("writes what came on the channel stderr to stderr, and pieces of a channel as they are", async () => {
    const responses = [
      { payload: "no end", channel: "stdout" },
      { payload: "oops\n", channel: "stderr" },
    ];
    expect(await cli(["send", "w", "a:b"], { node: sendingNode(fakeWork({ responses })) })).toMatchObject({
      stdout: "no end",
      stderr: "oops\n",
    });
  });

  it("passes on bytes and streams unchanged where stdout is no terminal", async () => {
    const bytes = new Uint8Array([0, 255, 254, 10, 27]);
    const { bytes: out } = await cli(["send", "w", "a:b"], {
      node: sendingNode(fakeWork({ responses: [bytes, { payload: [bytes, bytes] }] })),
    });
    expect(out).toEqual(Buffer.concat([bytes, bytes, bytes]));
  });

  it("escapes what could drive a terminal, and bytes that are no text", async () => {
    const responses = [
      "\u001b[31mred\u0007",
      new Uint8Array([0x61, 0xff]),
      { payload: [Uint8Array.from([0xc3]), Uint8Array.from([0xa9])] },
    ];
    const { stdout } = await cli(["send", "w", "a:b"], { node: sendingNode(fakeWork({ responses })), terminal: true });
    expect(stdout).toBe("\\x1b[31mred\\x07\na\\xff\né\n");
    const raw = await cli(["send", "w", "a:b", "--raw"], { node: sendingNode(fakeWork({ responses: ["\u001b[31mred"] })), terminal: true });
    expect(raw.stdout).toBe("\u001b[31mred");
  });

  it("prefixes each line with the node that it came from, for all:GROUP", async () => {
    const members = [
      fakeWork({
        id: ID,
        node: "edge-1",
        responses: [
          { payload: "one\ntw", channel: "stdout" },
          { payload: "o\n", channel: "stdout" },
        ],
      }),
      fakeWork({ id: ID.replace("01", "02"), node: "edge-2", responses: ["three"] }),
      fakeWork({ id: ID.replace("01", "03"), node: "edge-3", error: failed }),
    ];
    const ran = await cli(["send", "all:web", "a:b"], { node: sendingNode({ ...fakeWork({}), members }) });
    expect(lines(ran.stdout).toSorted()).toEqual(["edge-1 | one", "edge-1 | two", "edge-2 | three"]);
    expect(ran).toMatchObject({ exit: 3, stderr: "receptor: WORK_FAILED: edge-3 | it broke\n" });
  });

  it("writes only the bytes with --raw", async () => {
    expect((await cli(["send", "w", "a:b", "--raw"], { node: sendingNode(fakeWork({ responses: ["a", "b"] })) })).stdout).toBe("ab");
  });
});

describe("receptor send --json", () => {
  it("prints one object a line, from accepted to end", async () => {
    const work = fakeWork({
      parked: { node: "relay", ttl: 5 },
      responses: ["hé", new Uint8Array([255]), { payload: "e", channel: "stderr" }],
    });
    const { objects, stderr } = await cli(["send", "w", "a:b", "--json"], { node: sendingNode(work) });
    expect(stderr).toBe("");
    expect(objects).toEqual([
      { type: "parked", id: ID, node: "relay", ttl: 5 },
      { type: "accepted", id: ID, node: "worker" },
      { type: "response", id: ID, node: "worker", serial: 1, text: "hé" },
      { type: "response", id: ID, node: "worker", serial: 2, base64: "/w==" },
      { type: "response", id: ID, node: "worker", serial: 3, channel: "stderr", text: "e" },
      { type: "end", id: ID, node: "worker", state: "succeeded" },
    ]);
  });

  it("says at the end what failed", async () => {
    const { exit, objects } = await cli(["send", "w", "a:b", "--json"], {
      node: sendingNode(fakeWork({ responses: ["a"], error: failed })),
    });
    expect(exit).toBe(3);
    expect(objects.at(-1)).toEqual({
      type: "end",
      id: ID,
      node: "worker",
      state: "failed",
      error: { code: "WORK_FAILED", message: "it broke" },
    });
  });

  it("prints an error object where nothing was sent", async () => {
    const node = fakeNode({
      send: async () => {
        throw new MeshError("UNKNOWN_NODE", "who?");
      },
    });
    expect(await cli(["send", "w", "a:b", "--json"], { node })).toMatchObject({
      exit: 4,
      objects: [{ error: { code: "UNKNOWN_NODE", message: "who?" } }],
    });
  });

  it("splits a streamed response in parts that do not cut a character", async () => {
    const bytes = Buffer.from("é".repeat(200_000));
    const { objects } = await cli(["send", "w", "a:b", "--json"], {
      node: sendingNode(fakeWork({ responses: [{ payload: [bytes.subarray(0, 300_001), bytes.subarray(300_001)] }] })),
    });
    const parts = objects.filter(
      (object): object is { text: string; part: number; last: boolean } =>
        typeof object === "object" && object !== null && "part" in object,
    );
    expect(parts.map(({ part, last }) => [part, last])).toEqual([
      [1, false],
      [2, true],
    ]);
    expect(parts.map(({ text }) => text).join("")).toBe("é".repeat(200_000));
  });

  it("prints a short stream as one response without parts", async () => {
    const { objects } = await cli(["send", "w", "a:b", "--json"], {
      node: sendingNode(fakeWork({ responses: [{ payload: [Buffer.from("a"), Buffer.from("b")] }] })),
    });
    expect(objects[1]).toEqual({ type: "response", id: ID, node: "worker", serial: 1, text: "ab" });
  });
});

describe("the exit status of receptor send", () => {
  it.each([
    ["WORK_FAILED", 3],
    ["CANCELLED", 3],
    ["DEADLINE_EXCEEDED", 3],
    ["EXPIRED", 4],
    ["NO_ROUTE", 4],
    ["DENIED", 5],
    ["UNKNOWN_ACTION", 1],
  ] as const)("after %s is %d", async (code, exit) => {
    const work = fakeWork({ error: new MeshError(code, "why"), refused: true });
    expect(await cli(["send", "w", "a:b"], { node: sendingNode(work) })).toMatchObject({
      exit,
      stdout: "",
      stderr: `receptor: ${code}: why\n`,
    });
  });

  it("is that of the worst member", async () => {
    const members = [fakeWork({}), fakeWork({ error: failed }), fakeWork({ error: new MeshError("DENIED", "no") })];
    expect((await cli(["send", "all:g", "a:b"], { node: sendingNode({ ...fakeWork({}), members }) })).exit).toBe(5);
  });
});

describe("the payload", () => {
  const sent = async (argv: readonly string[], stdin?: Readable): Promise<Sent | undefined> => {
    const all: Sent[] = [];
    let text = "";
    const node = fakeNode({
      send: async (target, directive, payload, options = {}) => {
        text = await read(payload);
        all.push({ target, directive, payload, options });
        return fakeWork({});
      },
    });
    const { exit, stderr } = await cli(["send", ...argv], { node, ...(stdin === undefined ? {} : { stdin }) });
    expect(stderr).toBe("");
    expect(exit).toBe(0);
    const [first] = all;
    return first === undefined ? undefined : { ...first, directive: text };
  };

  it("is the text that was typed, whatever it looks like", async () => {
    for (const text of ["hello", "007", "1e3", "true", ""]) expect((await sent(["w", "a:b", text]))?.directive).toBe(text);
    for (const text of ["-5", "-", "--json", "-x", "--"]) {
      const literal = await sent(["w", "a:b", "--", text], Readable.from(["in"]));
      expect(literal?.directive).toBe(text === "-" ? "in" : text);
    }
    expect((await sent(["w", "a:b", "-5"]))?.directive).toBe("-5");
    expect((await sent(["w", "a:b"]))?.directive).toBe("");
  });

  it("is streamed from stdin with -, and from a file with @", async () => {
    const fromStdin = await sent(["w", "a:b", "-"], Readable.from([Buffer.from("a"), Buffer.from("b")]));
    expect(fromStdin).toMatchObject({ directive: "ab", payload: expect.any(Readable) });
    const path = await file("x".repeat(200_000));
    const fromFile = await sent(["w", "a:b", `@${path}`]);
    expect(fromFile?.payload).toBeInstanceOf(Readable);
    expect(fromFile?.directive).toHaveLength(200_000);
  });

  it.each([["all:g"], ["any:g"], ["w", "--durable"], ["w", "--detach"]])(
    "is read as a whole where it is offered more than once or kept: %s %s",
    async (target, ...flags) => {
      const path = await file("abc");
      expect((await sent([target, "a:b", `@${path}`, ...flags]))?.payload).toBeInstanceOf(Uint8Array);
    },
  );

  it.each([
    ["@/none/such", "the payload /none/such cannot be read: there is no such file"],
    ["@/tmp", "the payload /tmp cannot be read: it is a folder"],
  ])("that cannot be read ends with 2 before anything is connected: %s", async (payload, message) => {
    const ran = await cli(["send", "w", "a:b", payload], { node: sendingNode(fakeWork({})) });
    expect(ran).toMatchObject({ exit: 2, stdout: "", stderr: `receptor: PAYLOAD_UNREADABLE: ${message}\n`, connects: [] });
  });
});

describe("options of receptor send", () => {
  const optionsOf = async (...argv: string[]): Promise<Sent["options"] | undefined> => {
    const sent: Sent[] = [];
    await cli(["send", "w", "a:b", ...argv], { node: sendingNode(fakeWork({}), sent) });
    const { signal: _, ...rest } = sent[0]?.options ?? {};
    return rest;
  };

  it("count in seconds, and take units", async () => {
    expect(await optionsOf()).toEqual({ waitFor: "sent" });
    expect(await optionsOf("--ttl", "1.5", "--deadline", "2m")).toEqual({ waitFor: "sent", ttl: 1_500, deadline: 120_000 });
    expect(await optionsOf("--ttl", "0")).toEqual({ waitFor: "sent", ttl: 0 });
    expect(await optionsOf("--durable", "--header", "a=b", "--header", "c=d=e")).toEqual({
      waitFor: "sent",
      durable: true,
      headers: { a: "b", c: "d=e" },
    });
  });

  it("--detach prints the id and returns once it is in good hands", async () => {
    const sent: Sent[] = [];
    const work = fakeWork({ endless: true });
    expect(await cli(["send", "w", "a:b", "--detach"], { node: sendingNode(work, sent) })).toMatchObject({ exit: 0, stdout: `${ID}\n` });
    expect(sent[0]?.options).toMatchObject({ detach: true, waitFor: "parked" });
    expect(work.cancels()).toBe(0);
    expect((await cli(["send", "w", "a:b", "--detach", "--json"], { node: sendingNode(work) })).objects).toEqual([
      { type: "accepted", id: ID, node: "worker" },
    ]);
  });
});

describe("a work that is given up", () => {
  it("is cancelled when --timeout has passed, and ends with 4", async () => {
    const work = fakeWork({ endless: true, responses: ["first"] });
    const plain = await cli(["send", "w", "a:b", "--timeout", "0.05"], { node: sendingNode(work) });
    expect(plain).toMatchObject({
      exit: 4,
      stdout: "first\n",
      stderr: "receptor: TIMEOUT: it did not end within 0.05 s, and was cancelled\n",
    });
    expect(work.cancels()).toBe(1);
    const json = await cli(["send", "w", "a:b", "--timeout", "0.05", "--json"], { node: sendingNode(fakeWork({ endless: true })) });
    expect(json.exit).toBe(4);
    expect(json.objects.at(-1)).toMatchObject({ type: "end", state: "cancelled", error: { code: "TIMEOUT" } });
  });

  it.each([130, 143])("is cancelled when the command is interrupted, and ends with %d", async (exit) => {
    const controller = new AbortController();
    const work = fakeWork({ endless: true, responses: ["first"] });
    const node = sendingNode(work);
    const ran = await cli(["send", "w", "a:b", "--json"], {
      node,
      signal: controller.signal,
      onOutput: (text) => void (text.includes("first") && controller.abort({ exit })),
    });
    expect(ran.exit).toBe(exit);
    expect(ran.objects.at(-1)).toMatchObject({ type: "end", state: "cancelled", error: { code: "CANCELLED" } });
    expect(work.cancels()).toBe(1);
    expect(node.closed()).toBe(1);
  });

  it("is cancelled when nobody reads any more, who is not told of it", async () => {
    const controller = new AbortController();
    const work = fakeWork({ endless: true, responses: ["first"] });
    const ran = await cli(["send", "w", "a:b"], {
      node: sendingNode(work),
      signal: controller.signal,
      onOutput: (text) => void (text.includes("first") && controller.abort({ exit: 0 })),
    });
    expect(ran).toMatchObject({ exit: 0, stdout: "first\n", stderr: "" });
    expect(work.cancels()).toBe(1);
  });
});
