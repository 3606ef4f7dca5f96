import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// Tests see the sources behind the doors, so they need no build; end-to-end tests run the command, and need one.
const alias = [
  { find: /^receptor-mesh$/, replacement: source("./src/index.ts") },
  { find: /^receptor-mesh\/plugin$/, replacement: source("./src/plugin.ts") },
  { find: /^receptor-mesh\/testing$/, replacement: source("./src/testing.ts") },
];

interface Suite {
  readonly name: string;
  readonly include: string;
  readonly exclude?: string;
  /** Milliseconds for one test. */
  readonly timeout: number;
  /** Suites with sockets and processes run after the computing ones, which would distort their times. */
  readonly group: number;
  /** Files at once; default 1. */
  readonly workers?: number;
  readonly setup?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What judges times, fills disks or makes networks has the machine to itself. */
const ALONE = "test/e2e/{deaf,flood,full-disk,netns,parking,strangers,streams,streams-shared,three-machines}.test.ts";
const BUILD = "./test/support/needs-build.ts";

const suites: readonly Suite[] = [
  { name: "unit", include: "test/unit/**/*.test.ts", timeout: 10_000, group: 0, workers: 2 },
  { name: "fuzz", include: "test/fuzz/**/*.test.ts", timeout: 60_000, group: 0, workers: 2 },
  { name: "sim", include: "test/sim/**/*.test.ts", timeout: 300_000, group: 0, workers: 2 },
  { name: "plugins", include: "plugins/*/test/**/*.test.ts", timeout: 20_000, group: 1, workers: 2 },
  // The same tests once more, of plugins in processes of their own.
  {
    name: "plugins-apart",
    include: "plugins/*/test/{echo,http,shell,sleep}.test.ts",
    timeout: 30_000,
    group: 1,
    workers: 2,
    env: { ISOLATED_PLUGINS: "1" },
  },
  { name: "integration", include: "test/integration/**/*.test.ts", timeout: 60_000, group: 1, workers: 2 },
  { name: "e2e", include: "test/e2e/**/*.test.ts", exclude: ALONE, timeout: 120_000, group: 2, workers: 2, setup: BUILD },
  { name: "e2e-alone", include: ALONE, timeout: 120_000, group: 3, setup: BUILD },
  { name: "chaos", include: "test/chaos/**/*.test.ts", timeout: 120_000, group: 4, setup: BUILD },
];

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: suites.map((suite) => ({
      resolve: { alias },
      test: {
        name: suite.name,
        include: [suite.include],
        ...(suite.exclude === undefined ? {} : { exclude: [suite.exclude] }),
        testTimeout: suite.timeout,
        hookTimeout: 60_000,
        retry: 0,
        env: { NO_COLOR: "1", ...suite.env },
        sequence: { groupOrder: suite.group },
        maxWorkers: suite.workers ?? 1,
        ...(suite.setup === undefined ? {} : { globalSetup: [suite.setup] }),
      },
    })),
  },
});
