import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { SILENT } from "../../../src/core/log.ts";
import { adoptLogger, createLogger, type LoggerSettings } from "../../../src/telemetry/logger.ts";

/** A logger whose lines are kept. */
function recorded(settings: LoggerSettings = {}, isTTY = false): { log: ReturnType<typeof createLogger>; lines: string[] } {
  const lines: string[] = [];
  const log = createLogger({ ...settings, destination: { isTTY, write: (line) => lines.push(line) } });
  return { log, lines };
}

const hostile = "x\u001b[31m\r\nFORGED \u009b2J \u202etxt \u007f";
const control = /(?!\n)[\p{Cc}\u2028-\u202e\u2066-\u2069]/u;

describe("createLogger with format json", () => {
  test("writes one object a line, with the level by name, the time, the fields and the message", () => {
    const { log, lines } = recorded({ format: "json" });
    log.info({ event: "ready", node: "a", pid: 7 }, "ready");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      event: "ready",
      node: "a",
      pid: 7,
      msg: "ready",
    });
  });

  test("lets no control character through, and keeps the meaning", () => {
    const { log, lines } = recorded({ format: "json" });
    log.warn({ peer: hostile }, hostile);
    expect(lines.join("")).not.toMatch(control);
    expect(lines.join("").split("\n")).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ peer: hostile, msg: hostile });
  });

  test("logs an error as code, message and data, with a stack only for a defect", () => {
    const { log, lines } = recorded({ format: "json" });
    const cause = new RangeError("inner");
    log.error({ error: new MeshError("STORE_FULL", "no room", { data: { dir: "d" } }) }, "failed");
    log.error({ error: new MeshError("INTERNAL", "defect", { cause }) }, "failed");
    const [known, defect] = lines.map((line) => JSON.parse(line).error);
    expect(known).toEqual({ code: "STORE_FULL", message: "no room", data: { dir: "d" } });
    expect(defect).toMatchObject({
      code: "INTERNAL",
      cause: { type: "RangeError", message: "inner" },
      stack: expect.stringContaining("logger.test"),
    });
  });

  test("hides what is called a secret", () => {
    const { log, lines } = recorded({ format: "json" });
    log.info({ token: "hush", options: { password: "hush" } }, "join");
    expect(lines.join("")).not.toContain("hush");
  });
});

describe("createLogger with format pretty", () => {
  test("writes level, message and fields on one line, without colours where it is no terminal", () => {
    const { log, lines } = recorded();
    log.info({ peer: "b", cost: 2 }, "link up");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: link up \{"peer":"b","cost":2\}\n$/);
  });

  test("escapes control characters in messages, values and keys, so that nobody forges a line or drives the terminal", () => {
    const { log, lines } = recorded();
    log.warn({ peer: hostile, nested: [{ [hostile]: hostile }] }, hostile);
    expect(lines.join("")).not.toMatch(control);
    expect(lines.join("").split("\n")).toHaveLength(2);
    expect(lines[0]).toContain("x\\u001b[31m\\r\\nFORGED");
  });

  test("writes the stack of a defect on lines of its own, indented, without control characters", () => {
    const { log, lines } = recorded();
    log.error({ error: new MeshError("INTERNAL", `bad ${hostile}`) }, "failed");
    const [first, ...rest] = lines.join("").trimEnd().split("\n");
    expect(first).toContain('"code":"INTERNAL"');
    expect(rest.length).toBeGreaterThan(1);
    for (const line of rest) expect(line).toMatch(/^ {4}/);
    expect(lines.join("")).not.toMatch(control);
  });

  test("is coloured on a terminal, unless NO_COLOR is set", () => {
    const before = process.env["NO_COLOR"];
    const coloured = (value: string): boolean => {
      process.env["NO_COLOR"] = value;
      const { log, lines } = recorded({}, true);
      log.info({}, "hello");
      return lines.join("").includes("\u001b[");
    };
    try {
      expect(coloured("1")).toBe(false);
      expect(coloured("")).toBe(true);
    } finally {
      process.env["NO_COLOR"] = before ?? "";
    }
  });
});

describe("createLogger", () => {
  test("leaves out what is below its level", () => {
    const { log, lines } = recorded({ level: "warn", format: "json" });
    log.debug({}, "no");
    log.info({}, "no");
    log.warn({}, "yes");
    log.error({}, "yes");
    expect(lines).toHaveLength(2);
  });

  test("with level silent writes nothing", () => {
    const { log, lines } = recorded({ level: "silent" });
    log.error({}, "no");
    log.child({ a: 1 }).error({}, "no");
    expect(lines).toEqual([]);
  });

  test("child adds its fields to each line", () => {
    const { log, lines } = recorded({ format: "json" });
    log.child({ link: 4 }).child({ peer: "b" }).info({ rtt: 1 }, "pong");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ link: 4, peer: "b", rtt: 1 });
  });
});

describe("adoptLogger", () => {
  test("takes a pino logger, and what is like one", () => {
    const lines: string[] = [];
    const log = adoptLogger(pino({}, { write: (line: string) => lines.push(line) }));
    log?.child({ a: 1 }).info({ b: 2 }, "hello");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ a: 1, b: 2, msg: "hello" });
    expect(adoptLogger(SILENT)).toBe(SILENT);
  });

  test("refuses settings and other things", () => {
    for (const value of [{ level: "info" }, undefined, null, "info", { info: "x" }]) expect(adoptLogger(value)).toBeUndefined();
  });
});
