import { describe, expect, it } from "vitest";
import { parseOptions } from "../src/options.ts";

const commandOf = (command: unknown): unknown => parseOptions({ commands: { it: command } }).commands.get("it");

describe("parseOptions", () => {
  it("allows nothing by default", () => {
    expect(parseOptions(undefined).commands.size).toBe(0);
    expect(parseOptions({}).killAfter).toBe(5_000);
  });

  it("splits a text into words, and takes a list as it is", () => {
    expect(commandOf({ run: "df  -h /" })).toMatchObject({ argv: ["df", "-h", "/"], args: false, stdin: true });
    expect(commandOf({ run: ["printf", "%s", "a b"] })).toMatchObject({ argv: ["printf", "%s", "a b"] });
    expect(commandOf("uptime")).toMatchObject({ argv: ["uptime"] });
  });

  it("uses a shell only where it is asked to", () => {
    expect(commandOf({ run: "ls | wc -l", shell: true })).toMatchObject({ argv: ["/bin/sh", "-c", "ls | wc -l", "sh"] });
    expect(() => commandOf({ run: "ls | wc -l" })).toThrow("shell: true");
  });

  it("reads times", () => {
    expect(commandOf({ run: "x", timeout: "1.5s" })).toMatchObject({ timeout: 1500 });
    expect(commandOf({ run: "x", timeout: 20 })).toMatchObject({ timeout: 20 });
  });

  it.each([
    [{ comands: {} }, "comands"],
    [{ commands: [] }, "commands"],
    [{ commands: { "a b": "x" } }, "a b"],
    [{ commands: { it: { run: "x", user: "root" } } }, "user"],
    [{ commands: { it: {} } }, "commands.it.run"],
    [{ commands: { it: { run: "" } } }, "commands.it.run"],
    [{ commands: { it: { run: [] } } }, "commands.it.run"],
    [{ commands: { it: { run: "x", args: "yes" } } }, "commands.it.args"],
    [{ commands: { it: { run: "x", timeout: "soon" } } }, "commands.it.timeout"],
    [{ commands: { it: { run: "x", env: { A: null } } } }, "commands.it.env.A"],
    [{ killAfter: 0 }, "killAfter"],
  ])("refuses %j and names what is wrong", (options, name) => {
    expect(() => parseOptions(options)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(name) }),
    );
  });
});
