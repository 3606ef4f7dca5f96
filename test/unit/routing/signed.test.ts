import { describe, expect, it } from "vitest";
import { isMeshError } from "../../../src/core/errors.ts";
import type { Claim, Signatures } from "../../../src/routing/proof.ts";
import { judgeAdvertisement } from "../../../src/routing/proof.ts";
import type { RoutingEffect } from "../../../src/routing/machine.ts";
import { ROUTING } from "../../../src/routing/numbers.ts";
import { type Advertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { checkAdvertisement } from "../../../src/wire/advertisement-layout.ts";
import { signAdvertisement } from "../../../src/wire/advertisement-signature.ts";
import { BATCH_FLAG, encodeDigest, readBatch } from "../../../src/wire/digest.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { SimAuthority } from "../../sim/signatures.ts";
import { Alone, BOOT, id, ofType, rawBatch, said, sent } from "./alone.ts";

const authority = new SimAuthority();

/** What `node` says of itself, signed with the key of `by`. */
function signed(node: string, changes: Partial<Advertisement> = {}, by = node): Uint8Array {
  const advertisement = said(node, { credentials: authority.credentialsOf(id(node)), ...changes });
  return signAdvertisement(encodeAdvertisement(advertisement), (bytes) => authority.signatureOf(id(by), bytes));
}

/** The node "me" in a mesh with an authority, and how often it looked at a signature. */
class Member extends Alone {
  readonly judged: Claim[];
  readonly shows: { credentials: Signatures["credentials"] };

  constructor(options: ConstructorParameters<typeof Alone>[0] & { readonly judge?: Signatures["judge"] } = {}) {
    const own = authority.signaturesOf(id("me"));
    const judged: Claim[] = [];
    const judge = (claim: Claim): ReturnType<Signatures["judge"]> => {
      judged.push(claim);
      return (options.judge ?? own.judge)(claim);
    };
    const shows = { ...own, judge };
    super({ ...options, signatures: shows });
    this.judged = judged;
    this.shows = shows;
  }

  /** A neighbour that proves who it is. */
  joinAs(peer: string, link = 1): readonly RoutingEffect[] {
    this.up(link, peer);
    this.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array, link);
    const raw = signed(peer, { links: [{ peer: id("me"), cost: 1 }] });
    return this.frame(FRAME.advertisements, rawBatch([raw], BATCH_FLAG.exchange | BATCH_FLAG.end), link);
  }

  hear(...raws: readonly Uint8Array[]): readonly RoutingEffect[] {
    return this.frame(FRAME.advertisements, rawBatch(raws));
  }
}

function joined(options: ConstructorParameters<typeof Member>[0] = {}): Member {
  const member = new Member(options);
  expect(ofType(member.joinAs("peer"), "adjacent")).toHaveLength(1);
  member.pass(10);
  return member;
}

function judge(raw: Uint8Array): ReturnType<Signatures["judge"]> {
  return judgeAdvertisement(authority.signaturesOf(id("any")), raw, checkAdvertisement(raw));
}

const rejections = (effects: readonly RoutingEffect[]): string[] => ofType(effects, "rejected").map(({ reason }) => reason);
const violations = (effects: readonly RoutingEffect[]): string[] => ofType(effects, "violation").map(({ error }) => error.code);
const epochOf = (member: Member): number | undefined => member.routing.version(id("me"))?.epoch;

/** The bytes of all advertisements among what is sent. */
function raws(effects: readonly RoutingEffect[]): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (const effect of ofType(effects, "send"))
    if (effect.kind === FRAME.advertisements) readBatch(effect.body, (_view, start, end) => void all.push(effect.body.slice(start, end)));
  return all;
}

describe("judgeAdvertisement", () => {
  it("finds every changed bit, wherever it is", () => {
    const raw = signed("b", {
      links: [{ peer: id("c"), cost: 1 }],
      groups: ["lab"],
      plugins: [{ name: "p", version: "1", actions: ["run"] }],
    });
    expect(judge(raw)).toBeUndefined();
    let judged = 0;
    for (let bit = 0; bit < 8 * raw.length; bit++) {
      const changed = raw.slice();
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      try {
        expect(judge(changed), `bit ${bit}`).toBeDefined();
        judged++;
      } catch (error) {
        expect(isMeshError(error), String(error)).toBe(true);
      }
    }
    expect(judged).toBeGreaterThan(1_000);
  });

  it("takes a signature of one node for no other, and one of nothing for nothing", () => {
    expect(judge(signed("b", {}, "c"))).toBe("signature");
    expect(judge(signed("b", { credentials: authority.credentialsOf(id("c")) }, "c"))).toBe("node");
    expect(judge(signed("b", { credentials: { certificate: new Uint8Array(9), sealingKey: new Uint8Array(32) } }))).toBe("certificate");
    expect(judge(encodeAdvertisement(said("b")))).toBe("unsigned");
    expect(judge(encodeAdvertisement(said("b", { credentials: authority.credentialsOf(id("b")) })))).toBe("unsigned");
    const bare = encodeAdvertisement(said("b"));
    expect(judge(signAdvertisement(bare, (bytes) => authority.signatureOf(id("b"), bytes)))).toBe("unsigned");
  });
});

describe("Routing in a mesh with an authority", () => {
  it("signs all that it says of itself: at first, at a change, at a refresh, and its goodbye", () => {
    const member = joined();
    const effects = [...member.routing.step(member.now, { type: "local", change: { groups: ["lab"] } }), ...member.pass(70_000)];
    effects.push(...member.routing.step(member.now, { type: "withdraw" }));
    const own = sent(effects).filter(({ advertisement }) => advertisement.node === "me");
    expect(own.length).toBeGreaterThanOrEqual(3);
    expect(own.at(-1)?.advertisement.withdrawn).toBe(true);
    for (const raw of raws(effects)) expect(judge(raw)).toBeUndefined();
  });

  it("takes what its origin has signed, and passes it on as it came", () => {
    const member = joined();
    member.joinAs("other", 2);
    member.pass(10);
    const raw = signed("far", { links: [{ peer: id("peer"), cost: 1 }] });
    const effects = [...member.hear(raw), ...member.pass(200)];
    expect(member.routing.advertisement(id("far"))?.links).toEqual([{ peer: "peer", cost: 1 }]);
    const passed = ofType(effects, "send").filter(({ link, kind }) => link === 2 && kind === FRAME.advertisements);
    expect(raws(passed)).toContainEqual(raw);
  });

  it("drops what its origin has not signed, before it has any effect", () => {
    const member = joined();
    member.hear(signed("far", { links: [{ peer: id("peer"), cost: 1 }] }));
    const before = member.routing.advertisement(id("far"));
    const effects = [
      ...member.hear(signed("far", { sequence: 9, links: [] }, "peer")),
      ...member.hear(signed("far", { epoch: 9, links: [], withdrawn: true }, "peer")),
      ...member.hear(encodeAdvertisement(said("far", { sequence: 9 }))),
      ...member.hear(signed("invented", {}, "peer")),
    ];
    expect(rejections(effects)).toEqual(["forged", "forged", "forged", "forged"]);
    expect(violations(effects)).toEqual([]);
    expect(raws([...effects, ...member.pass(1_000)]).filter((raw) => judge(raw) !== undefined)).toEqual([]);
    expect(member.routing.advertisement(id("far"))).toEqual(before);
    expect(member.routing.known(id("invented"))).toBe(false);
  });

  it("takes its name back from its own former life, and from nobody else", () => {
    const member = joined({ recentBoots: [BOOT] });
    const forged = [...member.hear(signed("me", { epoch: 2 ** 48 - 1 }, "peer")), ...member.pass(1_000)];
    expect(ofType(forged, "persist")).toEqual([]);
    expect(epochOf(member)).toBe(1);
    const former = [...member.hear(signed("me", { epoch: 40 })), ...member.pass(1_000)];
    expect(ofType(former, "persist")).toMatchObject([{ epoch: 41 }]);
    expect(epochOf(member)).toBe(41);
  });

  it("takes its name back also from a life whose certificate has ended", () => {
    const member = joined({ judge: ({ node }) => (node === "me" ? "time" : undefined) });
    member.hear(signed("me", { epoch: 40 }));
    member.pass(1_000);
    expect(epochOf(member)).toBe(41);
  });

  it("cuts off, with DENIED, a neighbour that cannot prove what it says of itself", () => {
    for (const raw of [
      encodeAdvertisement(said("peer")),
      signed("peer", {}, "thief"),
      signed("peer", { credentials: authority.credentialsOf(id("thief")) }, "thief"),
    ]) {
      const member = new Member();
      member.up();
      member.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array);
      const effects = member.frame(FRAME.advertisements, rawBatch([raw], BATCH_FLAG.exchange | BATCH_FLAG.end));
      expect(violations(effects)).toEqual(["DENIED"]);
      expect(rejections(effects)).toEqual(["forged"]);
      expect(ofType(effects, "adjacent")).toEqual([]);
    }
  });

  it("cuts off, with PROTOCOL_ERROR, a neighbour that passes on more forged ones than it may, slowly or at once", () => {
    const member = joined();
    let brought = 0;
    for (let cut = false; !cut && brought < 100; brought++)
      cut = violations(member.hear(signed(`far-${brought}`, {}, "peer"))).includes("PROTOCOL_ERROR");
    expect(brought).toBe(ROUTING.forgedBurst + 1);
    const slow = joined();
    for (let i = 0; i < 60; i++) {
      expect(violations(slow.hear(signed(`far-${i}`, {}, "peer")))).toEqual([]);
      slow.pass(60_000);
    }
    const hasty = joined();
    for (let i = 0; i < ROUTING.forgedBurst; i++) hasty.hear(signed(`far-${i}`, {}, "peer"));
    hasty.pass(60_000);
    expect(violations(hasty.hear(signed("one-more", {}, "peer")))).toEqual([]);
    expect(violations(hasty.hear(signed("and-another", {}, "peer")))).toEqual(["PROTOCOL_ERROR"]);
  });

  it.each(["time", "revoked"] as const)("does not hold against a neighbour what it may not know: %s", (why) => {
    const member = joined({ judge: ({ node }) => (node === "late" ? why : undefined) });
    for (let sequence = 1; sequence < 100; sequence++) {
      const effects = member.hear(signed("late", { sequence }));
      expect([rejections(effects), violations(effects)]).toEqual([["ended"], []]);
    }
    expect(member.routing.known(id("late"))).toBe(false);
  });

  it("looks at no signature of what it knows already, of what is older, of what is too old, or of what is over a neighbour's allowance", () => {
    const member = joined();
    member.hear(signed("far", { sequence: 5 }));
    const before = member.judged.length;
    for (let i = 0; i < 100; i++) member.hear(signed("far", { sequence: 5 }), signed("far", { sequence: 4 }));
    member.frame(FRAME.advertisements, rawBatch([signed("gone")], 0, ROUTING.maxAge));
    expect(member.judged.length).toBe(before);
    const effects = Array.from({ length: 2 * ROUTING.floodBurst }, (_, i) => member.hear(signed(`n${i}`))).flat();
    expect(member.judged.length - before).toBeLessThanOrEqual(ROUTING.floodBurst);
    expect(rejections(effects).filter((reason) => reason === "flood").length).toBeGreaterThanOrEqual(ROUTING.floodBurst);
  });

  it("says again what it is as soon as it shows another certificate", () => {
    const member = joined();
    member.pass(10_000);
    const unchanged = [...member.routing.step(member.now, { type: "local", change: { groups: [] } }), ...member.pass(1_000)];
    expect(sent(unchanged)).toEqual([]);
    member.shows.credentials = { ...authority.credentialsOf(id("me")), sealingKey: new Uint8Array(32).fill(7) };
    const effects = [...member.routing.step(member.now, { type: "local", change: { groups: [] } }), ...member.pass(1_000)];
    expect(sent(effects).map(({ advertisement }) => advertisement.credentials?.sealingKey[0])).toEqual([7]);
  });
});

describe("Routing without an authority", () => {
  it("takes what is signed and what is not, and signs nothing", () => {
    const plain = new Alone();
    plain.join();
    plain.frame(FRAME.advertisements, rawBatch([signed("a"), encodeAdvertisement(said("b")), signed("c", {}, "a")]));
    for (const node of ["a", "b", "c"]) expect(plain.routing.known(id(node))).toBe(true);
    const own = raws(plain.routing.step(plain.now, { type: "withdraw" }));
    expect(own.map((raw) => judge(raw))).toContain("unsigned");
  });
});
