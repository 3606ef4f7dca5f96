import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { installPlugin } from "../../../src/plugin/install.ts";
import { PluginRegistry } from "../../../src/plugin/registry.ts";
import { testPlugin } from "../../../src/plugin/test-plugin.ts";
import { Workshop } from "./fixture.ts";

/** The first block of a language in docs/plugins.md. */
async function block(language: string): Promise<string> {
  const text = await readFile(resolve(import.meta.dirname, "../../../docs/plugins.md"), "utf8");
  const found = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "ms").exec(text)?.[1];
  if (found === undefined) throw new RangeError(`docs/plugins.md has no ${language}`);
  return found;
}

it("the plugin of docs/plugins.md can be installed, is loaded, and does what is written there", async () => {
  await using workshop = await Workshop.open();
  await workshop.write("greet/index.js", await block("js"));
  await workshop.write("greet/package.json", await block("json"));
  expect(await installPlugin(workshop.pluginDir, "./greet", { cwd: workshop.root })).toEqual({
    name: "greet",
    package: "receptor-plugin-greet",
    version: "1.0.0",
    actions: ["run", "count"],
  });
  const registry = new PluginRegistry({ pluginDir: workshop.pluginDir, plugins: { greet: {} } });
  await registry.open();
  const plugin = registry.plugins.get("greet");
  if (plugin === undefined) throw new RangeError("greet was not loaded");
  expect(plugin.facts.actions.get("count")).toEqual({ idempotent: true, concurrency: 2, deadline: 60_000 });
  const { responses, result } = await testPlugin(plugin.definition).run("run", "you");
  expect([responses[0]?.text(), result.state]).toEqual(["hello you", "succeeded"]);
  const count = await testPlugin(plugin.definition).run("count", { to: 2 });
  expect(count.responses.map((response) => response.json())).toEqual([{ number: 1 }, { number: 2 }]);
  await registry.close();
});
