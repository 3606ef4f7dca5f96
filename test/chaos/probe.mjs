// Loaded into a process: writes what only the process itself knows to the file that CHAOS_PROBE names, again and again.
import { renameSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const file = process.env["CHAOS_PROBE"];
const EVERY = 10_000;

function write() {
  // What is alive, not what was not yet collected.
  collect();
  const { heapUsed, external } = process.memoryUsage();
  writeFileSync(`${file}.new`, JSON.stringify({ heap: heapUsed + external, handles: process.getActiveResourcesInfo().length }));
  renameSync(`${file}.new`, file);
}

if (file !== undefined) setInterval(write, EVERY).unref();
