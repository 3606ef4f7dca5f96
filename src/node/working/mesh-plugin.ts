import { hostname } from "node:os";
import { MeshError } from "../../core/errors.ts";
import { isMessageId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import { hashNodeId, type NodeHash } from "../../core/node-hash.ts";
import type { Context, Input, PluginDefinition } from "../../plugin/definition.ts";
import type { MeshNode, SendOptions } from "../api.ts";
import type { Engine } from "../engine/engine.ts";
import type { Parked } from "../../delivery/parking/parked.ts";

export interface MeshPluginSources {
  node(): MeshNode;
  engine(): Engine;
  readonly version: string;
  readonly dataDir: string;
  /** Answers members that want their certificates renewed. */
  sign(question: Uint8Array): Promise<Uint8Array>;
}

/** What every node can do without a plugin: tell of itself, keep messages for short-lived senders, and have its queue cared for. */
export function meshPlugin(sources: MeshPluginSources): PluginDefinition {
  return {
    name: "mesh",
    concurrency: 64,
    actions: {
      status: async () => ({ ...sources.node().status() }),
      info: async () => ({
        node: sources.node().id,
        version: sources.version,
        dataDir: sources.dataDir,
        pid: process.pid,
        host: hostname(),
      }),
      async *queue() {
        for (const entry of sources.node().queue()) yield { ...entry };
      },
      purge: async (input) => {
        const chosen = await select(input, sources);
        for (const parked of chosen) sources.engine().delivery.purge(parked);
        sources.engine().poke();
        return { purged: chosen.length };
      },
      retry: async (input) => {
        const chosen = await select(input, sources);
        sources.engine().delivery.drain();
        return { retried: chosen.length };
      },
      renew: async (input) => await sources.sign(await input.bytes(LIMITS.renewal)),
      keep: async (input, context) => await keep(input, context, sources.node()),
    },
  };
}

/** The parked messages that `ids`, `to` or `all` name. */
async function select(input: Input, sources: MeshPluginSources): Promise<readonly Parked[]> {
  const engine = sources.engine();
  const wanted = await input.json();
  const facts = typeof wanted === "object" && wanted !== null ? wanted : {};
  const ids = "ids" in facts ? new Set(strings(facts.ids)) : undefined;
  const to = "to" in facts ? strings(facts.to).map(hashNodeId) : undefined;
  const all = "all" in facts && facts.all === true;
  if (!all && ids === undefined && to === undefined) throw new MeshError("INVALID_ARGUMENT", "say which messages: ids, to, or all");
  const isWanted = ({ high, low }: NodeHash): boolean => to?.some((hash) => hash.high === high && hash.low === low) === true;
  return [...engine.delivery.park.list()].filter((parked) => all || ids?.has(parked.id) === true || isWanted(parked.destination));
}

function strings(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

/** Sends a message on behalf of a sender that will not stay, and holds its outcome. */
async function keep(input: Input, context: Context, node: MeshNode): Promise<{ id: string; node: string; ttl: number; parked: boolean }> {
  const { "keep-target": target, "keep-directive": directive, "keep-options": options = "{}" } = context.headers;
  if (target === undefined || directive === undefined)
    throw new MeshError("INVALID_ARGUMENT", "a message to keep has a target and a directive");
  const work = await node.send(target, directive, await input.bytes(), { ...readOptions(options), waitFor: "parked" });
  if (!isMessageId(work.id)) throw new MeshError("INVALID_ARGUMENT", "a message that is kept goes to one node");
  const waits = node.queue().find(({ id }) => id === work.id);
  return { id: work.id, node: work.node, parked: work.state === "parked", ttl: waits?.ttl ?? 0 };
}

function readOptions(text: string): SendOptions {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) return {};
  const number = (key: "ttl" | "deadline"): object =>
    key in value && typeof value[key as never] === "number" ? { [key]: value[key as never] } : {};
  return {
    ...number("ttl"),
    ...number("deadline"),
    ...("durable" in value && value.durable === true ? { durable: true } : {}),
    ...("headers" in value && typeof value.headers === "object" && value.headers !== null
      ? {
          headers: Object.fromEntries(
            Object.entries(value.headers).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
          ),
        }
      : {}),
  };
}
