// Makes a fresh clone ready: installs and builds where something changed, and otherwise does nothing. Plain Node: it runs before
// there are any dependencies.
import { join } from "node:path";
import { build, isAllBuilt } from "./support/build.mjs";
import { install, isInstalled } from "./support/install.mjs";
import { withLock } from "./support/lock.mjs";
import { root } from "./support/process.mjs";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Node 20.19 or newer is needed; this is ${process.version}.`);
  process.exit(1);
}

if (!(isInstalled() && isAllBuilt())) {
  const options = {
    timeout: 20 * 60_000,
    onWait: (holder) => console.error(`Waiting for process ${holder}, which installs or builds ...`),
  };
  process.exitCode = await withLock(join(root, ".stamp/lock"), options, async () => (await install()) || (await build()));
}
