import { describe, expect, it } from "vitest";
import { answeringNode, cli, lines, type Sent } from "./fakes.ts";

const ID = "0190163d-8694-739b-aea5-966c26f8ad91";
const ENTRY = { id: ID, from: "a", to: "edge-1", bytes: 2_048, ttl: 299_000, why: "no route" };

describe("receptor queue list", () => {
  const node = () => answeringNode({ "mesh:queue": [ENTRY, { ...ENTRY, to: "edge-2", why: "\u001b[2J" }] });

  it("prints what waits, in columns", async () => {
    expect(lines((await cli(["queue", "list"], { node: node() })).stdout)).toEqual([
      "ID                                    FROM  TO         SIZE   LEFT  WHY",
      `${ID}  a     edge-1  2.0 KiB  4m59s  no route`,
      `${ID}  a     edge-2  2.0 KiB  4m59s  \\x1b[2J`,
    ]);
  });

  it("prints one object a line with --json, of one destination with --to", async () => {
    expect((await cli(["queue", "list", "--json", "--to", "edge-1"], { node: node() })).objects).toEqual([ENTRY]);
  });

  it("says that nothing waits", async () => {
    expect(await cli(["queue", "list"], { node: answeringNode({}) })).toMatchObject({ exit: 0, stdout: "", stderr: "nothing waits\n" });
  });
});

describe("receptor queue purge and retry", () => {
  it.each([
    [["purge", "--all"], "mesh:purge", { all: true }],
    [["purge", "--to", "edge-1"], "mesh:purge", { to: "edge-1" }],
    [["purge", ID, ID], "mesh:purge", { ids: [ID, ID] }],
    [["retry"], "mesh:retry", { all: true }],
    [["retry", "--to", "edge-1"], "mesh:retry", { to: "edge-1" }],
    [["retry", ID], "mesh:retry", { ids: [ID] }],
  ])("%j asks the node for it", async (argv, directive, payload) => {
    const sent: Sent[] = [];
    const { exit } = await cli(["queue", ...argv], {
      node: answeringNode({ "mesh:purge": [{ purged: 1 }], "mesh:retry": [{ retried: 2 }] }, sent),
    });
    expect(exit).toBe(0);
    expect(sent).toMatchObject([{ target: "hub", directive, payload }]);
  });

  it("say how many", async () => {
    const node = answeringNode({ "mesh:purge": [{ purged: 1 }], "mesh:retry": [{ retried: 2 }] });
    expect((await cli(["queue", "purge", "--all"], { node })).stdout).toBe("purged 1 message\n");
    expect((await cli(["queue", "retry"], { node })).stdout).toBe("retried 2 messages\n");
    expect((await cli(["queue", "purge", "--all", "--json"], { node })).objects).toEqual([{ purged: 1 }]);
  });
});
