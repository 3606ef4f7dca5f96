import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULTS } from "../../../src/config/node-config.ts";
import { type NodeOptions, resolveOptions } from "../../../src/config/options.ts";
import { SILENT } from "../../../src/core/log.ts";
import { checkUrl } from "./support.ts";

describe("resolveOptions", () => {
  it("gives the defaults of a library: no data folder, nothing logged", async () => {
    expect(await resolveOptions()).toEqual({ ...DEFAULTS, log: { level: "silent", format: "pretty" } });
  });

  it("takes the keys of the file, flat, with units or in milliseconds and bytes", async () => {
    const config = await resolveOptions({
      id: "a",
      groups: ["g"],
      listen: [],
      peers: ["b:1"],
      work: { retention: "5m" },
      store: { ttl: 7, maxBytes: "1KiB" },
      plugins: { echo: {} },
      http: "a:1",
    });
    expect(config).toMatchObject({ id: "a", groups: ["g"], listen: [], peers: ["b:1"], plugins: { echo: {} }, http: "a:1" });
    expect(config.work).toEqual({ ...DEFAULTS.work, retention: 300_000 });
    expect(config.store).toEqual({ ...DEFAULTS.store, ttl: 7, maxBytes: 1_024 });
  });

  it("takes its own result", async () => {
    const config = await resolveOptions({
      id: "a",
      dataDir: "d",
      extraPlugins: ["x"],
      tls: { cert: "c", key: "k" },
      log: { level: "warn" },
    });
    expect(await resolveOptions(config)).toBe(config);
    expect(await resolveOptions({ ...config })).toEqual(config);
  });

  it("makes paths absolute", async () => {
    expect((await resolveOptions({ dataDir: "d" })).dataDir).toBe(resolve("d"));
    expect((await resolveOptions({ tls: { cert: "c", key: "/k" } })).tls).toEqual({ cert: resolve("c"), key: "/k" });
  });

  it("takes a logger as log, and leaves it to the caller", async () => {
    expect((await resolveOptions({ log: SILENT })).log.level).toBe("silent");
  });

  it.each<[string, object, string]>([
    ["unknown key", { lisen: [] }, 'unknown key "lisen"; did you mean "listen"?'],
    ["key of a section", { work: { queu: 1 } }, 'unknown key "queu" in work; did you mean "queue"?'],
    ["section of the file", { node: {} }, 'unknown key "node"'],
    ["wrong type", { id: 5 }, "id must be text, not 5; put it in quotes"],
    ["bad address", { peers: ["zip://x"] }, 'peers[0]: "zip://x" is no address'],
    ["half a certificate", { tls: { cert: "a" } }, "tls needs both cert and key, or neither"],
  ])("refuses with CONFIG_INVALID and no line: %s", async (_, options, message) => {
    await expect(resolveOptions(options as NodeOptions, checkUrl)).rejects.toMatchObject({ code: "CONFIG_INVALID", message });
  });

  it("tells every problem at once", async () => {
    const wrong = { idd: 1, work: { queue: -1 } } as unknown as NodeOptions;
    await expect(resolveOptions(wrong)).rejects.toMatchObject({
      data: { problems: [expect.stringContaining("work.queue"), expect.stringContaining("idd")] },
    });
  });

  it("does not freeze what the program handed over", async () => {
    const options = { deep: { a: 1 } };
    const peers = ["a:1"];
    const none = {};
    await resolveOptions({ plugins: { mine: options }, peers });
    await resolveOptions({ plugins: none, peers });
    expect([options, options.deep, peers, none].some((part) => Object.isFrozen(part))).toBe(false);
  });
});
