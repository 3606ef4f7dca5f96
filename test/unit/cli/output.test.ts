import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { Output } from "../../../src/cli/output.ts";

const sink = (write: (done: (error?: Error) => void, text: string) => void, isTTY = false) =>
  Object.assign(new Writable({ highWaterMark: 4, write: (chunk: Buffer, _encoding, done) => write(done, chunk.toString()) }), {
    isTTY,
    columns: 80,
  });
const nowhere = () => sink((done) => done());

describe("Output", () => {
  it("colours a terminal, unless NO_COLOR or TERM=dumb says not to, and nothing else", () => {
    const styled = (isTTY: boolean, env: Record<string, string>): string =>
      new Output({ stdout: sink((done) => done(), isTTY), stderr: nowhere(), env }).style("red", "x");
    expect(styled(true, {})).toBe("\u001b[31mx\u001b[39m");
    expect(styled(true, { NO_COLOR: "1" })).toBe("x");
    expect(styled(true, { NO_COLOR: "" })).not.toBe("x");
    expect(styled(true, { TERM: "dumb" })).toBe("x");
    expect(styled(false, {})).toBe("x");
  });

  it("waits for a slow reader", async () => {
    let release: () => void = () => {};
    const out = new Output({ stdout: sink((done) => (release = done)), stderr: nowhere(), env: {} });
    let written = false;
    const writing = out.write("longer than four").then(() => (written = true));
    await Promise.resolve();
    expect(written).toBe(false);
    release();
    await writing;
    expect(written).toBe(true);
  });

  it("says once that the reader went away, and writes no more", async () => {
    let closed = 0;
    let writes = 0;
    const broken = sink((done) => {
      writes++;
      done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    });
    const out = new Output({ stdout: broken, stderr: nowhere(), env: {}, onClosed: () => closed++ });
    await out.write("longer than four");
    await new Promise((resolve) => setImmediate(resolve));
    await out.write("more");
    await out.flush();
    expect([closed, writes]).toEqual([1, 1]);
  });

  it("knows why what it wrote is lost, where it is, and not where nobody wants it", async () => {
    for (const [code, failure] of [
      ["ENOSPC", "the output cannot be written: there is no room left"],
      ["EIO", "the output cannot be written: write EIO"],
      ["EPIPE", undefined],
    ] as const) {
      const broken = sink((done) => done(Object.assign(new Error(`write ${code}`), { code })));
      let closed = 0;
      const out = new Output({ stdout: broken, stderr: nowhere(), env: {}, onClosed: () => closed++ });
      expect(out.failure).toBeUndefined();
      out.print("lost");
      await out.flush();
      expect([out.failure?.code, out.failure?.message, closed]).toEqual([failure && "OUTPUT_UNWRITABLE", failure, 1]);
    }
  });

  it("says what is about results on stderr, and not with --quiet or --json", () => {
    let said = "";
    const out = new Output({ stdout: nowhere(), stderr: sink((done, text) => ((said += text), done())), env: {} });
    out.note("a");
    out.quiet = true;
    out.note("b");
    out.quiet = false;
    out.json = true;
    out.note("c");
    out.warn("d");
    expect(said).toBe("a\nd\n");
  });
});
