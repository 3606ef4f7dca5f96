/** What the command `receptor plugin` does to a plugin folder. */
export { installPlugin, removePlugin } from "../plugin/install.ts";
export { listInstalled } from "../plugin/installed.ts";
