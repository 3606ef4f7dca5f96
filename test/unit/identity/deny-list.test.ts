import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { isMeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { DenyList, mergeDenied } from "../../../src/identity/deny-list.ts";
import { isMeshId, type MeshId } from "../../../src/identity/names.ts";
import { createAuthority, createKey, createRequest, type KeyPair, signNode } from "../../../src/identity/x509.ts";

const NOW = 1_800_000_000;
const alpha = nodeId("alpha");
const beta = nodeId("beta");
let mesh: MeshId;
let authority: KeyPair;
let other: KeyPair;
let issuer: X509Certificate;

beforeAll(async () => {
  const id = "00112233aabbccdd";
  if (!isMeshId(id)) throw new TypeError(id);
  mesh = id;
  const validity = { from: 0, to: 2 * NOW * 1_000 };
  authority = await createAuthority(mesh, validity);
  other = await createAuthority(mesh, validity);
  issuer = new X509Certificate(authority.certificate);
});

const entry = (node = alpha, before = NOW, until = NOW + 100) => ({ node, before, until });
const signed = (number: number, nodes = [entry()], serials: { serial: string; until: number }[] = []): DenyList =>
  DenyList.sign(mesh, number, { nodes, serials }, authority.key);

async function certificateOf(node = alpha, from = NOW - 10): Promise<X509Certificate> {
  const request = await createRequest(await createKey());
  return new X509Certificate(
    await signNode(authority, request, { mesh, node, groups: [], validity: { from: from * 1_000, to: (NOW + 1_000) * 1_000 } }),
  );
}

describe("DenyList.parse", () => {
  it("reads what the authority has signed, and gives it on unchanged", () => {
    const list = signed(7, [entry(), entry(beta)], [{ serial: "0AFF", until: NOW }]);
    const read = DenyList.parse(list.text, issuer);
    expect(read).toMatchObject({ mesh, number: 7, text: list.text });
    expect(read.denied).toEqual(list.denied);
    expect(DenyList.parse(Buffer.from(list.text), issuer).text).toBe(list.text);
  });

  it("refuses what another authority has signed, and every list of which a byte was changed or cut", () => {
    expect(() => DenyList.parse(DenyList.sign(mesh, 9, { nodes: [], serials: [] }, other.key).text, issuer)).toThrow(/not signed/);
    const bytes = new Uint8Array(Buffer.from(signed(7).text));
    const content = bytes.indexOf(10);
    for (let at = 0; at < content; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => DenyList.parse(changed, issuer), `byte ${at}`).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
    }
    for (const end of [0, 1, content - 1, content, content + 5]) {
      expect(() => DenyList.parse(bytes.slice(0, end), issuer)).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
    }
  });

  it("refuses by the size before anything else, and whatever is no list with a typed error", () => {
    expect(() => DenyList.parse(new Uint8Array(LIMITS.denyList + 1), issuer)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
    const words = fc.oneof(
      fc.string(),
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.json(), fc.base64String()).map((two) => two.join("\n")),
    );
    fc.assert(
      fc.property(words, (text) => {
        try {
          DenyList.parse(text, issuer);
          return false;
        } catch (error) {
          return isMeshError(error, "PROTOCOL_ERROR");
        }
      }),
    );
  });
});

describe("DenyList.sign", () => {
  it("refuses more than the limit", () => {
    const many = Array.from({ length: 3_000 }, (_, at) => entry(nodeId(`node-${at}`)));
    expect(() => signed(1, many)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
    expect(signed(1, many.slice(0, 1_000)).denied.nodes).toHaveLength(1_000);
  });
});

describe("DenyList.refuses", () => {
  it("all certificates of a node that begin when it was revoked or before, and none from after that", async () => {
    const list = signed(1);
    expect(list.refuses(await certificateOf(alpha, NOW - 10))).toMatchObject({ code: "CERTIFICATE_REVOKED", data: { node: "alpha" } });
    expect(list.refuses(await certificateOf(alpha, NOW))).toMatchObject({ code: "CERTIFICATE_REVOKED" });
    expect(list.refuses(await certificateOf(alpha, NOW + 1))).toBeUndefined();
    expect(list.refuses(await certificateOf(beta))).toBeUndefined();
  });

  it("one certificate by its serial number, and no other of that node", async () => {
    const [one, two] = [await certificateOf(), await certificateOf()];
    const list = signed(1, [], [{ serial: one.serialNumber, until: NOW }]);
    expect(list.refuses(one)).toMatchObject({ code: "CERTIFICATE_REVOKED" });
    expect(list.refuses(two)).toBeUndefined();
  });
});

describe("mergeDenied", () => {
  it("has what is in either, the later of two for a node, and nothing whose certificates have ended", () => {
    const one = { nodes: [entry(alpha, NOW), entry(beta, 5, NOW)], serials: [{ serial: "AA", until: NOW + 1 }] };
    const two = { nodes: [entry(alpha, NOW - 50)], serials: [{ serial: "BB", until: NOW }] };
    const merged = { nodes: [entry(alpha, NOW)], serials: [{ serial: "AA", until: NOW + 1 }] };
    expect(mergeDenied(one, two, NOW)).toEqual(merged);
    expect(mergeDenied(two, one, NOW)).toEqual(merged);
  });
});

describe("DenyList.covers", () => {
  it("tells whether anything would be lost, but what has ended", () => {
    const less = signed(1, [entry(alpha, NOW - 1)]);
    const more = signed(2, [entry(), entry(beta)], [{ serial: "AA", until: NOW + 1 }]);
    expect(more.covers(less, NOW)).toBe(true);
    expect(less.covers(more, NOW)).toBe(false);
    expect(less.covers(more, NOW + 200)).toBe(true);
  });
});
