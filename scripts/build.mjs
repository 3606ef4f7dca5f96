// Compiles the package and its plugins anew, each to its dist/.
import { join } from "node:path";
import { build } from "./support/build.mjs";
import { install } from "./support/install.mjs";
import { withLock } from "./support/lock.mjs";
import { root } from "./support/process.mjs";

const options = { timeout: 20 * 60_000, onWait: (holder) => console.error(`Waiting for process ${holder}, which installs or builds ...`) };
process.exitCode = await withLock(join(root, ".stamp/lock"), options, async () => (await install()) || (await build({ clean: true })));
