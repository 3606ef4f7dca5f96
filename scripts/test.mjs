// The whole test suite: first what holds for the repository as such, then every test. Arguments go to vitest:
// `npm test -- test/unit/wire`.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "./check.mjs";
import { checks } from "./support/checks.mjs";
import { run, tool } from "./support/process.mjs";

const LIMIT = 60 * 60_000;

/** @returns {{ passed: number, failed: number, skipped: number }} */
function count(report) {
  // A file that could not be loaded fails without a test.
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

async function test(args) {
  const folder = mkdtempSync(join(tmpdir(), "receptor-test-"));
  const file = join(folder, "report.json");
  try {
    const command = [...tool("vitest"), "run", ...args, "--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const { code, output } = await run(command, { timeout: LIMIT });
    if (output !== "") console.error(output);
    const totals = count(JSON.parse(readFileSync(file, "utf8")));
    if (code !== 0 && totals.failed === 0) {
      console.error(`vitest ended with exit code ${code} although no test failed: see above for an error outside of the tests.`);
      totals.failed = 1;
    }
    return totals;
  } catch (error) {
    console.error(`vitest left no report: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const failedChecks = await check(Object.keys(checks()));
const { passed, failed, skipped } =
  failedChecks.length === 0 ? await test(process.argv.slice(2)) : { passed: 0, failed: failedChecks.length, skipped: 0 };
if (failedChecks.length > 0) console.error(`Not tested, because these checks failed: ${failedChecks.join(", ")}.`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
