import { syncBuiltinESMExports } from "node:module";
import tls from "node:tls";
import { describe, expect, test, vi } from "vitest";
import { createTransports } from "../../../src/transports/index.ts";
import { MemoryHub } from "../../../src/transports/memory.ts";

const signal = new AbortController().signal;
const onPipe = (): void => undefined;

describe("createTransports", () => {
  test("chooses by the scheme, and takes a URL as text or parsed", async () => {
    const transports = createTransports({ memory: new MemoryHub() });
    const listener = await transports.listen("memory://a:0", { onPipe });
    expect((await transports.dial(listener.url, { signal })).remote).toBe(`memory://a:${listener.url.port}`);
    await listener.close();
  });

  test("refuses memory URLs without a hub, and what is no URL", async () => {
    const transports = createTransports();
    await expect(transports.dial("memory://a:1", { signal })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(transports.listen("http://a:1", { onPipe })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("refuses certificates that cannot be used, at once and on replacement", () => {
    const wrong = { cert: "no", key: "no" };
    expect(() => createTransports({ tls: wrong })).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(() => createTransports().replaceTls(wrong)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  test("reads no authorities of the system before something is dialled that needs them", () => {
    const made = vi.spyOn(tls, "createSecureContext");
    syncBuiltinESMExports();
    createTransports().replaceTls({});
    expect(made).not.toHaveBeenCalled();
    expect(() => createTransports({ tls: { cert: "no", key: "no" } })).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(made).toHaveBeenCalledOnce();
    made.mockRestore();
    syncBuiltinESMExports();
  });
});
