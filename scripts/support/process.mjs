import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

/**
 * Runs a command to its end and tells how it ended; `output` is what it printed where `quiet` kept that back.
 * After `timeout` milliseconds it is ended, and the code is 124.
 * @param {readonly string[]} command
 * @param {{ timeout: number, quiet?: boolean, cwd?: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, { timeout, quiet = false, cwd = root, env = process.env }) {
  return new Promise((done) => {
    const [file = "", ...args] = command;
    const child = spawn(file, args, { cwd, env, stdio: ["ignore", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"] });
    const chunks = [];
    child.stdout?.on("data", (chunk) => chunks.push(chunk));
    child.stderr?.on("data", (chunk) => chunks.push(chunk));
    let late = false;
    const end = () => {
      late = true;
      child.kill("SIGTERM");
      killer = setTimeout(() => child.kill("SIGKILL"), 5_000);
    };
    let killer = setTimeout(end, timeout);
    const forward = (signal) => child.kill(signal);
    process.on("SIGINT", forward).on("SIGTERM", forward);
    const finish = (code, note = "") => {
      clearTimeout(killer);
      process.off("SIGINT", forward).off("SIGTERM", forward);
      done({ code, output: Buffer.concat(chunks).toString() + note });
    };
    child.on("error", (error) => finish(127, `${file}: ${error.message}\n`));
    child.on("close", (code) => finish(late ? 124 : (code ?? 1), late ? `ended after ${timeout / 1000} s\n` : ""));
  });
}

/**
 * The command line of a tool among the dev dependencies, without a shell or npx in between.
 * @param {string} name of the package
 * @param {string} [bin] default: the same name
 * @returns {string[]}
 */
export function tool(name, bin = name) {
  const folder = join(root, "node_modules", name);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const path = typeof manifest.bin === "string" ? manifest.bin : manifest.bin[bin];
  return [process.execPath, join(folder, path)];
}

/** The npm that started this process, else the one on the path. */
export function npm() {
  const path = process.env.npm_execpath;
  return path !== undefined && /npm-cli\.c?js$/.test(path) && existsSync(path) ? [process.execPath, path] : ["npm"];
}

/**
 * Runs the jobs, at most `width` at a time, and resolves to their results in order.
 * @template T
 * @param {readonly (() => Promise<T>)[]} jobs
 * @param {number} width
 * @returns {Promise<T[]>}
 */
export async function inParallel(jobs, width) {
  const results = new Array(jobs.length);
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const at = next++;
      results[at] = await jobs[at]();
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
