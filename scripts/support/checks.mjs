import { tool } from "./process.mjs";

const SOURCES = ["src", "plugins", "test", "scripts", "examples", "vitest.config.ts"];

/**
 * What holds for the whole repository before any test runs, by name. `npm run check:NAME` and `npm test` run these same commands.
 * @returns {Record<string, readonly (readonly string[])[]>}
 */
export function checks() {
  const tsc = (project) => [...tool("typescript", "tsc"), "--noEmit", "--pretty", "false", "-p", project];
  return {
    // The third sees the plugins and every test too.
    types: [tsc("tsconfig.json"), tsc("tsconfig.pure.json"), tsc("tsconfig.test.json")],
    lint: [[...tool("oxlint"), "--type-aware", "--deny-warnings", ...SOURCES]],
    format: [[...tool("@biomejs/biome", "biome"), "format", ...SOURCES]],
    house: [
      [...tool("dependency-cruiser", "depcruise"), "--config", ".dependency-cruiser.cjs", "src", "plugins"],
      [process.execPath, "scripts/check-house.mjs"],
    ],
  };
}
