import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(resolve(root, path), "utf8");
type Ranges = Record<string, string>;
const manifest: { dependencies: Ranges; optionalDependencies: Ranges; devDependencies: Ranges } = JSON.parse(read("package.json"));
const runTime = { ...manifest.dependencies, ...manifest.optionalDependencies };

/** The packages in the first column of the table below a heading. */
function listed(heading: string): string[] {
  const section = read("docs/dependencies.md").split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""))
    .toSorted();
}

it("docs/dependencies.md has a line for each dependency, and no other", () => {
  expect(listed("At run time")).toEqual(Object.keys(runTime).toSorted());
});

it("docs/dependencies.md has a line for each development dependency, and no other", () => {
  const names = Object.keys(manifest.devDependencies).filter((name) => !name.startsWith("@types/"));
  expect(listed("For development").filter((name) => name !== "@types/*")).toEqual(names.toSorted());
});

it("every dependency has a free licence", () => {
  for (const name of Object.keys({ ...runTime, ...manifest.devDependencies })) {
    const { license }: { license: string } = JSON.parse(read(`node_modules/${name}/package.json`));
    expect(license, name).toMatch(/^(MIT|ISC|Apache-2\.0|MIT OR Apache-2\.0)$/);
  }
});
