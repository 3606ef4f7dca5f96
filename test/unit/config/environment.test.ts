import { describe, expect, it } from "vitest";
import { defaultDataDir } from "../../../src/config/data-dir.ts";
import { misspeltVariables } from "../../../src/config/environment.ts";
import { splitList } from "../../../src/config/split-list.ts";

describe("misspeltVariables", () => {
  it("names the variable that was meant", () => {
    expect(misspeltVariables({ RECEPTOR_NODEID: "a", RECEPTOR_LOG_LEVL: "b" })).toMatchObject([
      { suggestion: "RECEPTOR_NODE_ID" },
      { suggestion: "RECEPTOR_LOG_LEVEL" },
    ]);
  });

  it("says nothing of right ones and of those that are like none", () => {
    expect(misspeltVariables({ RECEPTOR_NODE_ID: "a", RECEPTOR_DEBUG: "1", RECEPTOR_SERVICE_PORT_MESH: "x", PATH: "y" })).toEqual([]);
  });
});

describe("defaultDataDir", () => {
  it("lies under XDG_DATA_HOME, else under the home folder, by id", () => {
    expect(defaultDataDir("a", { XDG_DATA_HOME: "/x" }, "/home/u")).toBe("/x/receptor-mesh/a");
    expect(defaultDataDir(undefined, {}, "/home/u")).toBe("/home/u/.local/share/receptor-mesh/default");
    expect(defaultDataDir("a", { XDG_DATA_HOME: "relative" }, "/home/u")).toBe("/home/u/.local/share/receptor-mesh/a");
  });

  it("never leaves its folder", () => {
    expect(defaultDataDir("..", {}, "/h")).toBe("/h/.local/share/receptor-mesh/node-..");
  });
});

describe("splitList", () => {
  it("takes commas and spaces, and none as nothing", () => {
    expect(splitList("a, b  c,")).toEqual(["a", "b", "c"]);
    expect(splitList("none")).toEqual([]);
    expect(splitList("")).toEqual([]);
  });
});
