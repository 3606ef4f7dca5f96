import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { MeshError } from "../core/errors.ts";
import { isNodeId } from "../core/ids.ts";
import { createPrivate, namesIn, readIfThere } from "./files.ts";
import { hashSecret, SECRET_BYTES } from "./join-token.ts";
import type { TokenRecord, TokenState, TokenUse } from "./judge.ts";
import { isPattern } from "./patterns.ts";

/** The most nodes that one token lets in. */
export const MAX_USES = 1_000;

const ID = /^[0-9a-f]{16}$/;
const USE = /^use-(\d{1,4})\.json$/;

export interface NewToken extends Pick<TokenRecord, "expires" | "uses" | "ids" | "groups" | "replace"> {}

/**
 * The join tokens of a signer: a folder for each, whose files are written once and never changed. So a command may make and revoke
 * tokens while the node runs, and two that claim the last use at one time cannot both get it.
 */
export class TokenStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The secret is returned and never kept. `now`: milliseconds since 1970. */
  async create(wanted: NewToken, now: number): Promise<{ readonly record: TokenRecord; readonly secret: Uint8Array }> {
    const secret = new Uint8Array(randomBytes(SECRET_BYTES));
    const record: TokenRecord = { ...wanted, id: randomBytes(8).toString("hex"), secretHash: hashSecret(secret), created: now };
    if (!(await createPrivate(this.#path(record.id, "token.json"), json(record))))
      throw new MeshError("INTERNAL", "a token of this name is there already");
    return { record, secret };
  }

  /** The newest last. */
  async list(): Promise<readonly TokenState[]> {
    const names = (await namesIn(this.#folder)).filter((name) => ID.test(name));
    const tokens = await Promise.all(names.map((id) => this.get(id)));
    return tokens.filter((token) => token !== undefined).toSorted((a, b) => a.created - b.created);
  }

  /** Undefined where there is none, or its file is damaged. */
  async get(id: string): Promise<TokenState | undefined> {
    if (!ID.test(id)) return undefined;
    const record = readRecord(id, await readIfThere(this.#path(id, "token.json")));
    if (record === undefined) return undefined;
    const names = await namesIn(join(this.#folder, id));
    const uses = names.filter((name) => USE.test(name)).map(async (name) => readUse(await readIfThere(this.#path(id, name))));
    return { ...record, used: await Promise.all(uses), revoked: names.includes("revoked") };
  }

  /** Takes one of the uses that are left; false: there is none. */
  async use(token: TokenState, use: TokenUse): Promise<boolean> {
    for (let number = token.used.length + 1; number <= token.uses; number++) {
      if (await createPrivate(this.#path(token.id, `use-${number}.json`), json(use))) return true;
    }
    return false;
  }

  /** False: there is no such token. Revoking twice is harmless. */
  async revoke(id: string): Promise<boolean> {
    if ((await this.get(id)) === undefined) return false;
    await createPrivate(this.#path(id, "revoked"), "");
    return true;
  }

  #path(id: string, name: string): string {
    return join(this.#folder, id, name);
  }
}

function readRecord(id: string, text: string | undefined): TokenRecord | undefined {
  const { secretHash, created, expires, uses, ids, groups, replace } = parse(text);
  if (typeof secretHash !== "string" || typeof created !== "number" || typeof expires !== "number" || typeof uses !== "number")
    return undefined;
  if (!isPatterns(ids) || !isPatterns(groups) || uses > MAX_USES) return undefined;
  return { id, secretHash, created, expires, uses, ids, groups, replace: replace === true };
}

/** A use whose file is damaged counts all the same. */
function readUse(text: string | undefined): TokenUse {
  const { node, key, at } = parse(text);
  return {
    node: isNodeId(node) ? node : ("?" as TokenUse["node"]),
    key: typeof key === "string" ? key : "",
    at: typeof at === "number" ? at : 0,
  };
}

function isPatterns(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isPattern);
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // A file that a crash has cut short says nothing.
    return {};
  }
}

function json(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
