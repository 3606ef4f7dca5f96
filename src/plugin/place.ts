import { join, resolve } from "node:path";

/** Whether this is the source that runs, and not what was compiled from it. */
export const FROM_SOURCE: boolean = import.meta.url.endsWith(".ts");

/** The folder of this program's own package. */
export const PACKAGE: string = resolve(import.meta.dirname, "../..");

/** The program of a plugin's process. From the package's folder, since what is compiled is put together in other files than its source is in. */
export const PROGRAM: string = join(PACKAGE, FROM_SOURCE ? "src/plugin/isolated/child.ts" : "dist/plugin/isolated/child.js");
