// Runs the named checks (default: all), two at a time, and prints what the failing ones say.
import { checks } from "./support/checks.mjs";
import { inParallel, run } from "./support/process.mjs";

const LIMIT = 5 * 60_000;

/**
 * @param {readonly string[]} names
 * @returns {Promise<readonly string[]>} the names of those that failed
 */
export async function check(names) {
  const all = checks();
  const jobs = names.flatMap((name) => (all[name] ?? []).map((command) => ({ name, command })));
  const failed = new Set();
  const left = new Map(names.map((name) => [name, jobs.filter((job) => job.name === name).length]));
  const started = Date.now();
  await inParallel(
    jobs.map(({ name, command }) => async () => {
      const { code, output } = await run(command, { timeout: LIMIT, quiet: true });
      left.set(name, left.get(name) - 1);
      if (code !== 0) {
        failed.add(name);
        console.error(`${output.trimEnd()}\n`);
      }
      if (left.get(name) === 0) {
        console.error(`${failed.has(name) ? "FAILED" : "ok    "} ${name.padEnd(8)} ${((Date.now() - started) / 1000).toFixed(1)} s`);
      }
    }),
    2,
  );
  return [...failed];
}

if (process.argv[1] === import.meta.filename) {
  const known = Object.keys(checks());
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`There is no check "${unknown[0]}"; there are ${known.join(", ")}.`);
    process.exitCode = 2;
  } else {
    const failed = await check(names.length === 0 ? known : names);
    process.exitCode = failed.length === 0 ? 0 : 1;
  }
}
