import { describe, expect, it } from "vitest";
import { fileJsonSchema, fileSchema } from "../../../src/config/schema.ts";
import { SETTINGS } from "../../../src/config/settings.ts";
import { knownKeys } from "../../../src/config/layer.ts";

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly required?: readonly string[];
  readonly description?: string;
}

const schema = fileJsonSchema() as Schema;

function paths(part: Schema, before: readonly string[] = []): string[] {
  if (part.properties === undefined) return [before.join(".")];
  return Object.entries(part.properties).flatMap(([key, value]) => paths(value, [...before, key]));
}

describe("fileJsonSchema", () => {
  it("has exactly the settings, so that each has its place in resolution and in suggestions", () => {
    expect(paths(schema).toSorted()).toEqual(SETTINGS.map(({ path }) => path.join(".")).toSorted());
  });

  it("allows no other key, and requires none", () => {
    for (const part of [schema, ...Object.values(schema.properties ?? {}).filter(({ properties }) => properties !== undefined)]) {
      expect(part.additionalProperties).toBe(false);
      expect(part.required ?? []).toEqual([]);
    }
  });

  it("describes every value", () => {
    const undescribed: string[] = [];
    const walk = (part: Schema, name: string): void => {
      if (part.properties === undefined) {
        if (part.description === undefined) undescribed.push(name);
      } else for (const [key, value] of Object.entries(part.properties)) walk(value, `${name}.${key}`);
    };
    walk(schema, "");
    expect(undescribed).toEqual([]);
  });

  it("takes durations and sizes as text or numbers", () => {
    expect(fileSchema.parse({ store: { ttl: "1h30m", maxBytes: 4_096 } })).toEqual({ store: { ttl: 5_400_000, maxBytes: 4_096 } });
    expect(JSON.stringify(schema.properties?.["store"]?.properties?.["ttl"])).toContain("pattern");
  });
});

describe("fileSchema, of where a plugin runs", () => {
  const of = (isolation: object): boolean => fileSchema.safeParse({ plugins: { shell: { isolation } } }).success;

  it("takes whether the data folder is hidden, folders to hide beside it, and a user", () => {
    for (const hide of [true, false, ["/etc/pki"]]) expect(of({ hide }), String(hide)).toBe(true);
    for (const user of ["mesh-plugins", "1001"]) expect(of({ user }), user).toBe(true);
  });

  it("takes no path from where a node happens to run, no empty list, and no user that looks like an option", () => {
    for (const hide of [["pki"], [], "yes"]) expect(of({ hide }), String(hide)).toBe(false);
    for (const user of ["-u", "", "a b"]) expect(of({ user }), user).toBe(false);
  });
});

describe("knownKeys", () => {
  it("has the keys of node at the top in the flat shape", () => {
    expect(knownKeys(true).get("")).toEqual(expect.arrayContaining(["id", "dataDir", "extraPlugins", "work"]));
    expect(knownKeys(true).get("")).not.toContain("node");
    expect(knownKeys(false).get("")).toContain("node");
  });
});
