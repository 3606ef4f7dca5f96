import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { cli } from "./fakes.ts";

/** What bash would offer for the last of these words. */
function complete(script: string, ...words: string[]): string[] {
  const ask = `${script}\nCOMP_WORDS=(receptor "$@"); COMP_CWORD=$#; _receptor; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", ask, "bash", ...words], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line !== "");
}

describe("receptor completion", () => {
  it.each(["bash", "zsh", "fish"])("prints a script for %s that names every command and option", async (shell) => {
    const { exit, stdout } = await cli(["completion", shell]);
    expect(exit).toBe(0);
    for (const { name, options = {}, commands = [] } of COMMANDS) {
      expect(stdout).toContain(name);
      for (const option of Object.keys(options)) expect(stdout).toContain(shell === "fish" ? `-l ${option}` : `--${option}`);
      for (const child of commands) expect(stdout).toContain(child.name);
    }
  });

  it.skipIf(spawnSync("bash", ["--version"]).status !== 0)(
    "completes commands, sub-commands, options and their values in bash",
    async () => {
      const { stdout: script } = await cli(["completion", "bash"]);
      expect(complete(script, "p")).toEqual(["ping", "plugin"]);
      expect(complete(script, "queue", "")).toEqual(expect.arrayContaining(["list", "purge", "retry"]));
      expect(complete(script, "queue", "purge", "--a")).toEqual(["--all"]);
      expect(complete(script, "node", "--log-format", "")).toEqual(["pretty", "json"]);
      expect(complete(script, "completion", "z")).toEqual(["zsh"]);
      expect(complete(script, "--json", "tr")).toEqual(["trace"]);
    },
  );

  it("of an option's value leaves the value to the shell or to nobody", async () => {
    const { stdout: fish } = await cli(["completion", "fish"]);
    expect(fish).toMatch(/-l data-dir -s d -r -F/);
    expect(fish).toMatch(/-l log-level -x -a "debug info/);
  });
});
