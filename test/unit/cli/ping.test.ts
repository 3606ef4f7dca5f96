import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import type { Ping } from "../../../src/node/api.ts";
import { cli, fakeNode, lines } from "./fakes.ts";

const answer = (rtt: number): Ping => ({ rtt, hops: 2, version: "0.1.0", work: { running: 0, queued: 0 } });
const late = new MeshError("TIMEOUT", "no answer in 5 s");

/** Answers one after the other; an error in the list is thrown. */
function pinged(answers: readonly (number | MeshError)[]) {
  let at = 0;
  return fakeNode({
    ping: async () => {
      const next = answers[at++];
      if (typeof next !== "number") throw next ?? late;
      return answer(next);
    },
  });
}

describe("receptor ping", () => {
  it("prints each reply and the statistics", async () => {
    const node = pinged([1, 2, 3]);
    const { exit, stdout } = await cli(["ping", "worker", "-c", "3"], { node });
    expect(exit).toBe(0);
    expect(lines(stdout)).toEqual([
      "reply from worker: 1.000 ms, 2 hops, version 0.1.0",
      "reply from worker: 2.000 ms, 2 hops, version 0.1.0",
      "reply from worker: 3.000 ms, 2 hops, version 0.1.0",
      "worker: 3 sent, 3 received, 0% lost, min/avg/max 1.000/2.000/3.000 ms",
    ]);
    expect(node.closed()).toBe(1);
  });

  it("asks four times, a second apart, unless told otherwise", async () => {
    const slept: number[] = [];
    const sleep = (milliseconds: number): void => void slept.push(milliseconds);
    expect((await cli(["ping", "w"], { node: pinged([1, 1, 1, 1, 1]), sleep })).stdout).toContain("4 sent");
    expect(slept).toEqual([1_000, 1_000, 1_000]);
    slept.length = 0;
    await cli(["ping", "w", "-c", "2", "-i", "0.25"], { node: pinged([1, 1]), sleep });
    expect(slept).toEqual([250]);
  });

  it("prints one object a reply with --json", async () => {
    const { objects } = await cli(["ping", "w", "-c", "2", "--json"], { node: pinged([0.41234, 7]) });
    expect(objects).toEqual([
      { node: "w", rtt: 0.412, hops: 2, version: "0.1.0" },
      { node: "w", rtt: 7, hops: 2, version: "0.1.0" },
    ]);
  });

  it("counts what was lost, and succeeds if one was answered", async () => {
    const { exit, stdout, stderr } = await cli(["ping", "w", "-c", "3"], { node: pinged([1, late, 3]) });
    expect(exit).toBe(0);
    expect(stdout).toContain("3 sent, 2 received, 33.3% lost");
    expect(stderr).toContain("no answer from w: TIMEOUT");
  });

  it("ends with 4 if none was answered", async () => {
    const plain = await cli(["ping", "w", "-c", "2"], { node: pinged([late, late]) });
    expect(plain.exit).toBe(4);
    expect(plain.stdout).toBe("w: 2 sent, 0 received, 100% lost\n");
    const json = await cli(["ping", "w", "-c", "2", "--json"], { node: pinged([late, late]) });
    expect(json).toMatchObject({ exit: 4, stderr: "", objects: [{ error: { code: "TIMEOUT", message: "no answer in 5 s" } }] });
  });

  it("does not go on asking for a name that nobody has heard", async () => {
    const unknown = new MeshError("UNKNOWN_NODE", "the mesh has not heard of w");
    const { exit, stdout } = await cli(["ping", "w"], { node: pinged([unknown, 1, 1, 1]) });
    expect(exit).toBe(4);
    expect(stdout).toContain("1 sent");
  });

  it("prints its statistics when it is interrupted", async () => {
    const controller = new AbortController();
    const sleep = (): void => controller.abort({ exit: 130 });
    const { exit, stdout } = await cli(["ping", "w", "-c", "100"], { node: pinged([1]), signal: controller.signal, sleep });
    expect(exit).toBe(0);
    expect(stdout).toContain("1 sent, 1 received");
  });

  it("prints only the statistics with --quiet", async () => {
    expect(lines((await cli(["ping", "w", "-c", "2", "-q"], { node: pinged([1, 1]) })).stdout)).toHaveLength(1);
  });
});

describe("receptor trace", () => {
  const hops = [
    { node: "relay", rtt: 0.2 },
    { node: "worker", rtt: 0.45678 },
  ];
  const node = () =>
    fakeNode({
      async *trace() {
        yield* hops;
      },
    });

  it("prints each hop", async () => {
    expect(lines((await cli(["trace", "worker"], { node: node() })).stdout)).toEqual([" 1  relay  0.200 ms", " 2  worker  0.457 ms"]);
    expect((await cli(["trace", "worker", "--json"], { node: node() })).objects).toEqual([
      { node: "relay", rtt: 0.2 },
      { node: "worker", rtt: 0.457 },
    ]);
  });

  it("ends with the status of what stopped it, after the hops that answered", async () => {
    const stopped = fakeNode({
      async *trace() {
        yield { node: "relay", rtt: 1 };
        throw late;
      },
    });
    expect(await cli(["trace", "worker"], { node: stopped })).toMatchObject({
      exit: 4,
      stdout: " 1  relay  1.000 ms\n",
      stderr: "receptor: TIMEOUT: no answer in 5 s\n",
    });
  });
});

describe("the peer that is joined through", () => {
  it.each([
    ["--peer", ["--peer", "tcp://a:1", "-p", "b:2"], { RECEPTOR_PEER: "c:3" }, ["tcp://a:1", "b:2"]],
    ["RECEPTOR_PEER", [], { RECEPTOR_PEER: "c:3" }, ["c:3"]],
    ["RECEPTOR_PEERS", [], { RECEPTOR_PEERS: "c:3,d:4" }, ["c:3", "d:4"]],
    ["the default address", [], {}, ["tcp://127.0.0.1:8888"]],
  ])("is that of %s", async (_, argv, env, peers) => {
    const { connects } = await cli(["ping", "w", "-c", "1", ...argv], { node: pinged([1]), env });
    expect(connects).toMatchObject([{ peers, timeout: 5_000 }]);
  });
});
