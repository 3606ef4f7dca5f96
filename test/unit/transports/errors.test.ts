import { describe, expect, test } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { acceptError, dialError, listenError, lostError } from "../../../src/transports/errors.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";

const url = parseMeshUrl("tcp://127.0.0.1:8888");
const system = (code: string, message = `what ${code}`): Error => Object.assign(new Error(message), { code });

describe("dialError", () => {
  test.each([
    ["ECONNREFUSED", "nothing listens there"],
    ["ETIMEDOUT", "does not answer"],
    ["ENOTFOUND", "host name is not known"],
    ["EMFILE", "ulimit -n"],
    ["CERT_HAS_EXPIRED", "expired"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "`ca`"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "another host name"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "does not speak TLS"],
    ["ENEW", "what ENEW"],
    ["constructor", "what constructor"],
  ])("says what %s means", (code, hint) => {
    const cause = system(code);
    expect(dialError(url, cause)).toMatchObject({ code: "CONNECT_FAILED", data: { reason: code }, cause });
    expect(dialError(url, cause).message).toMatch(/^cannot connect to tcp:\/\/127\.0\.0\.1:8888: /);
    expect(dialError(url, cause).message).toContain(hint);
  });

  test("leaves a MeshError as it is, and takes what is no Error", () => {
    const error = new MeshError("TIMEOUT", "late");
    expect(dialError(url, error)).toBe(error);
    expect(dialError(url, "broken")).toMatchObject({ code: "CONNECT_FAILED", data: {}, message: expect.stringContaining("broken") });
  });
});

describe("listenError", () => {
  test.each([
    ["EADDRINUSE", "port 8888 of 127.0.0.1 is in use: choose another --listen or stop what holds it"],
    ["EACCES", "port 8888 of 127.0.0.1 may not be listened on: ports below 1024 need privileges, so choose a higher one"],
    ["EADDRNOTAVAIL", "cannot listen on tcp://127.0.0.1:8888: no such address on this machine: choose one of its own, or 0.0.0.0 for all"],
  ])("says what to do about %s", (code, message) => {
    expect(listenError(url, system(code))).toMatchObject({ code: "LISTEN_FAILED", message });
  });
});

describe("acceptError and lostError", () => {
  test("say what happened to what", () => {
    expect(acceptError(url, system("EMFILE")).message).toBe(
      "tcp://127.0.0.1:8888 cannot take more connections for now: this process has no file descriptors left: raise `ulimit -n`",
    );
    expect(lostError("tcp://a:1", system("ECONNRESET")).message).toBe("lost the connection with tcp://a:1: the other end broke it off");
  });
});
