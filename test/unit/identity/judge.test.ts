import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { formatJoinToken, hashSecret, isSecret, type JoinToken, parseJoinToken } from "../../../src/identity/join-token.ts";
import { judge, shown, statusOf, type TokenState } from "../../../src/identity/judge.ts";
import { isMeshId } from "../../../src/identity/names.ts";

const NOW = 1_800_000_000_000;
const SECRET = new Uint8Array(20).fill(7);
const alpha = nodeId("alpha");
const applicant = { node: alpha, groups: ["web"], key: "k1" };

function token(changes: Partial<TokenState> = {}): TokenState {
  return {
    id: "00112233445566ff",
    secretHash: hashSecret(SECRET),
    created: NOW - 1,
    expires: NOW + 1,
    uses: 1,
    ids: ["*"],
    groups: ["*"],
    replace: false,
    used: [],
    revoked: false,
    ...changes,
  };
}

const refused = (reason: string): unknown => expect.objectContaining({ code: "TOKEN_REFUSED", data: { reason } });
const denied = (words: RegExp): unknown => expect.objectContaining({ code: "DENIED", message: expect.stringMatching(words) as unknown });
const used = (node: string, key: string) => ({ node: nodeId(node), key, at: NOW });

describe("shown", () => {
  it("gives the token to who knows its secret", () => {
    expect(shown(token(), SECRET)).toEqual(token());
  });

  it("says one thing to all others, whatever the token is", () => {
    const heard = (state: TokenState | undefined, secret: Uint8Array): string => {
      try {
        shown(state, secret);
      } catch (error) {
        return JSON.stringify(error);
      }
      return "let in";
    };
    const wrong = new Uint8Array(20);
    const answers = [
      heard(undefined, SECRET),
      heard(token(), wrong),
      heard(token({ revoked: true }), wrong),
      heard(token({ expires: 0 }), wrong),
      heard(token(), SECRET.subarray(1)),
      heard(token(), new Uint8Array(0)),
    ];
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain("unknown");
  });
});

describe("judge", () => {
  it("lets in who the token is for", () => {
    expect(judge(token(), applicant, undefined, NOW)).toBe("new");
    expect(judge(token({ ids: ["al*"], groups: ["web", "db"] }), applicant, undefined, NOW)).toBe("new");
  });

  it("refuses a token that is revoked, expired or used up, and says which", () => {
    expect(() => judge(token({ revoked: true }), applicant, undefined, NOW)).toThrow(refused("revoked"));
    expect(() => judge(token({ expires: NOW }), applicant, undefined, NOW)).toThrow(refused("expired"));
    expect(() => judge(token({ used: [used("beta", "k2")] }), applicant, undefined, NOW)).toThrow(refused("used-up"));
  });

  it("lets in again, at no further use, the same node with the same key", () => {
    expect(judge(token({ used: [used("alpha", "k1")] }), applicant, undefined, NOW)).toBe("again");
    expect(() => judge(token({ used: [used("alpha", "k2")] }), applicant, undefined, NOW)).toThrow(refused("used-up"));
    expect(() => judge(token({ used: [used("alpha", "k1")], revoked: true }), applicant, undefined, NOW)).toThrow(refused("revoked"));
    expect(() => judge(token({ used: [used("alpha", "k1")], expires: NOW }), applicant, undefined, NOW)).toThrow(refused("expired"));
  });

  it("refuses ids and groups that the token does not have", () => {
    expect(() => judge(token({ ids: ["beta"] }), applicant, undefined, NOW)).toThrow(denied(/does not let in "alpha"/));
    expect(() => judge(token({ groups: ["db"] }), applicant, undefined, NOW)).toThrow(denied(/group "web"/));
    expect(judge(token({ groups: [] }), { ...applicant, groups: [] }, undefined, NOW)).toBe("new");
  });

  it("refuses an id that another key has a certificate for, unless the token replaces", () => {
    const owner = { key: "other", from: NOW - 1, until: NOW + 1 };
    expect(() => judge(token(), applicant, owner, NOW)).toThrow(denied(/belongs to another node/));
    expect(judge(token({ replace: true }), applicant, owner, NOW)).toBe("new");
    expect(judge(token(), applicant, { ...owner, key: "k1" }, NOW)).toBe("new");
    expect(judge(token(), applicant, { ...owner, until: NOW }, NOW)).toBe("new");
  });

  it("makes no certificate for the name of a command", () => {
    expect(() => judge(token(), { ...applicant, node: nodeId("alpha:cli-0123456789ab") }, undefined, NOW)).toThrow(
      denied(/no id of a member/),
    );
  });
});

it("statusOf says what a list of tokens shows", () => {
  const states = [token(), token({ revoked: true }), token({ expires: NOW }), token({ used: [used("b", "k")] })];
  expect(states.map((state) => statusOf(state, NOW))).toEqual(["open", "revoked", "expired", "used-up"]);
});

describe("parseJoinToken", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const hex = fc.stringMatching(/^[0-9a-f]{16}$/);

  it("reads what formatJoinToken wrote", () => {
    fc.assert(
      fc.property(hex, bytes(32), hex, bytes(20), fc.integer({ min: 0, max: 2 ** 32 - 1 }), (mesh, authority, id, secret, seconds) => {
        if (!isMeshId(mesh)) throw new TypeError(mesh);
        const written: JoinToken = { mesh, authority, id, secret, expires: seconds * 1_000 };
        expect(parseJoinToken(` ${formatJoinToken(written)}\n`)).toEqual(written);
      }),
    );
  });

  it("refuses all else with INVALID_ARGUMENT, and does not repeat it", () => {
    const whole = `rmesh1_${"A".repeat(96)}`;
    expect(parseJoinToken(whole).id).toBe("0000000000000000");
    for (const text of ["", "secret", whole.slice(0, -1), `${whole}A`, whole.replace("rmesh1", "rmesh2"), `${whole.slice(0, -1)}+`]) {
      expect(() => parseJoinToken(text), text).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      if (text.length > 5) expect(() => parseJoinToken(text)).not.toThrow(text);
    }
  });
});

it("isSecret holds only for the secret itself", () => {
  expect(isSecret(SECRET, hashSecret(SECRET))).toBe(true);
  expect(isSecret(new Uint8Array(20), hashSecret(SECRET))).toBe(false);
  expect(isSecret(SECRET, "")).toBe(false);
  expect(hashSecret(SECRET)).not.toContain(Buffer.from(SECRET).toString("hex"));
});
