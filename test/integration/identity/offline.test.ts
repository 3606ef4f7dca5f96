import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isMeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { SILENT } from "../../../src/core/log.ts";
import { groupPatternsOf } from "../../../src/identity/certificate.ts";
import { identityFiles } from "../../../src/identity/paths.ts";
import { readIdentity } from "../../../src/identity/folder.ts";
import { installDenyList, installSigned, requestCertificate, signRequest } from "../../../src/identity/offline.ts";
import { formatRequest, parseRequest } from "../../../src/identity/request-file.ts";
import { revokeNode } from "../../../src/identity/revoke.ts";
import { enrolled, found } from "../../support/members.ts";

const alpha = nodeId("alpha");
let folder = "";
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-offline-"));
  await found(at("ca"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A request of alpha, as a file carries it. */
const requested = async (
  name = "alpha",
  { groups, newKey = false }: { groups?: readonly string[]; newKey?: boolean } = { groups: ["web"] },
) => parseRequest(formatRequest(await requestCertificate(at(name), alpha, groups, newKey)));

const fits = (name: string): boolean => {
  const { certificate, key } = identityFiles(at(name));
  return new X509Certificate(readFileSync(certificate)).checkPrivateKey(createPrivateKey(readFileSync(key)));
};

describe("a certificate that is signed where the mesh is not", () => {
  it("is for the id, the groups and the key of the request, and makes its node a member", async () => {
    const pem = await signRequest(at("ca"), await requested(), false, SILENT);
    await installSigned(at("alpha"), pem);
    const identity = await readIdentity(at("alpha"));
    expect(identity).toMatchObject({ node: "alpha", mesh: (await readIdentity(at("ca")))?.mesh, signs: false });
    expect(identity === undefined ? [] : groupPatternsOf(identity.certificate)).toEqual(["web"]);
    expect(fits("alpha")).toBe(true);
    expect(existsSync(identityFiles(at("alpha")).authorityKey)).toBe(false);
  });

  it("renews a member's, with its groups, and changes its key if it asks for that", async () => {
    await enrolled(at("ca"), at("alpha"), "alpha", { groups: ["db*"] });
    const before = readFileSync(identityFiles(at("alpha")).key, "utf8");
    const asked = await requested("alpha", { newKey: true });
    expect(asked.groups).toEqual(["db*"]);
    expect(fits("alpha")).toBe(true);
    await expect(signRequest(at("ca"), asked, false, SILENT)).rejects.toMatchObject({ code: "DENIED" });
    await installSigned(at("alpha"), await signRequest(at("ca"), asked, true, SILENT));
    expect(readFileSync(identityFiles(at("alpha")).key, "utf8")).not.toBe(before);
    expect(fits("alpha")).toBe(true);
  });

  it("is installed by its own node alone, and from the authority that it knows", async () => {
    const pem = await signRequest(at("ca"), await requested(), false, SILENT);
    await requested("other");
    await expect(installSigned(at("other"), pem)).rejects.toMatchObject({ code: "CERTIFICATE_INVALID" });
    await expect(installSigned(at("nobody"), pem)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await installSigned(at("alpha"), pem);
    await found(at("ca2"));
    const foreign = await signRequest(at("ca2"), await requested(), false, SILENT);
    await expect(installSigned(at("alpha"), foreign)).rejects.toMatchObject({
      code: "CERTIFICATE_INVALID",
      message: expect.stringMatching(/another authority than/) as unknown,
    });
    const [leaf = ""] = pem.split("-----END CERTIFICATE-----");
    await expect(installSigned(at("alpha"), `${leaf}-----END CERTIFICATE-----`)).rejects.toMatchObject({ code: "CERTIFICATE_INVALID" });
  });

  it("is not made for an id of another, for who was revoked, or where there is no key", async () => {
    await enrolled(at("ca"), at("alpha"), "alpha");
    await expect(signRequest(at("ca"), await requested("thief"), false, SILENT)).rejects.toMatchObject({ code: "DENIED" });
    await revokeNode(at("ca"), alpha, Date.now());
    await expect(signRequest(at("ca"), await requested("alpha"), true, SILENT)).rejects.toMatchObject({ code: "CERTIFICATE_REVOKED" });
    expect(await signRequest(at("ca"), await requested("fresh"), true, SILENT)).toContain("CERTIFICATE");
    await expect(signRequest(at("alpha"), await requested("alpha"), true, SILENT)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe("installDenyList", () => {
  it("takes the newer list of the node's own authority, and no other", async () => {
    await enrolled(at("ca"), at("alpha"), "alpha");
    await enrolled(at("ca"), at("beta"), "beta");
    const first = (await revokeNode(at("ca"), nodeId("beta"), Date.now())).list;
    const second = (await revokeNode(at("ca"), nodeId("beta"), Date.now())).list;
    expect((await installDenyList(at("alpha"), second.text)).number).toBe(second.number);
    await expect(installDenyList(at("alpha"), first.text)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await found(at("ca2"));
    await expect(installDenyList(at("ca2"), second.text)).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  });
});

describe("parseRequest", () => {
  it("refuses whatever is none with INVALID_ARGUMENT", () => {
    const near = fc.record({ form: fc.constant("receptor-request/1"), node: fc.string(), groups: fc.anything(), request: fc.string() });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          near.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          try {
            return parseRequest(text).node.length > 0;
          } catch (error) {
            return isMeshError(error, "INVALID_ARGUMENT");
          }
        },
      ),
    );
  });
});
