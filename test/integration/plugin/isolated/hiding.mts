import { pathToFileURL } from "node:url";
import { SILENT } from "../../../../src/core/log.ts";
import { IsolatedPlugin } from "../../../../src/plugin/isolated/isolated-plugin.ts";
import { settingsOf } from "../../../../src/plugin/settings.ts";

// A node's part, run by the test as somebody else, in the data folder. Arguments: the data folder, the plugin's file.
const [, , dataDir = "", file = ""] = process.argv;
const plugin = await IsolatedPlugin.load({
  url: pathToFileURL(file).href,
  label: "it",
  node: "worker",
  isolation: settingsOf({}).isolation,
  secrets: { dataDir, plugins: `${dataDir}/plugins` },
  log: SILENT,
  limit: 20_000,
});
process.stdout.write(`${JSON.stringify({ hidden: plugin.hidden, found: plugin.definition.name })}\n`);
await plugin.close();
