import { z } from "zod";
import { isGroupName, isNodeId } from "../core/ids.ts";
import { isPattern, MAX_PATTERNS } from "../identity/patterns.ts";
import { LOG_FORMATS, LOG_LEVELS } from "./node-config.ts";
import { DURATION_PATTERN, formatDuration, formatSize, parseDuration, parseSize, SIZE_PATTERN } from "./units.ts";

const longest = 365 * 86_400_000;

const aDuration = { error: "a duration is a number with a unit, such as 250ms, 30s, 5m or 1h" };
const aSize = { error: "a size is a number with a unit, such as 512MiB or 1GiB" };
const aHostPort = { error: "it must be HOST:PORT, such as 127.0.0.1:8889", abort: true };

const duration = (least: number) =>
  z
    .union([z.number().nonnegative(aDuration), z.string().regex(new RegExp(`${DURATION_PATTERN.source}|^\\d+$`), aDuration)], aDuration)
    .transform((value, context) => {
      const parsed = typeof value === "number" ? Math.round(value) : parseDuration(value);
      if (parsed !== undefined && parsed >= least && parsed <= longest) return parsed;
      context.addIssue({ code: "custom", message: `it must be from ${formatDuration(least)} to ${formatDuration(longest)}` });
      return z.NEVER;
    });

const size = (least: number) =>
  z
    .union([z.number().nonnegative(aSize), z.string().regex(new RegExp(`${SIZE_PATTERN.source}|^\\d+$`), aSize)], aSize)
    .transform((value, context) => {
      const parsed = typeof value === "number" ? Math.round(value) : parseSize(value);
      if (parsed !== undefined && parsed >= least && Number.isSafeInteger(parsed)) return parsed;
      context.addIssue({ code: "custom", message: `it must be at least ${formatSize(least)}` });
      return z.NEVER;
    });

const count = (least: number, most: number) => z.int().min(least).max(most);
const path = z.string().min(1);
const nodeId = z.string().refine(isNodeId, { error: "a node id has 1 to 128 characters of A-Z a-z 0-9 . _ : -" });
const group = z.string().refine(isGroupName, { error: "a group name has 1 to 64 characters of A-Z a-z 0-9 . _ -" });
const url = z.string().min(1).meta({ description: "tcp, tls, ws or wss://HOST:PORT, with ?cost=N if wanted; HOST:PORT is tcp" });
const hostPort = z
  .string()
  .regex(/^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):\d{1,5}$/, aHostPort)
  .refine((text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535, { error: "a port is at most 65535" });
const identityRule = z.string().regex(/^(mesh|none|(uri|dns|cn):[^{}]*\{node\}[^{}]*)$/, {
  error: "it is mesh, none, or uri:, dns: or cn: with {node} in it, such as dns:{node}.mesh.example",
});
const pattern = z.string().refine(isPattern, { error: "a pattern has 1 to 128 characters of A-Z a-z 0-9 . _ : - and * for any of them" });
const pluginName = z.string().regex(/^[a-z0-9-]{1,64}$/, { error: "a plugin's name has 1 to 64 characters of a-z 0-9 -" });
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "it is the name of an environment variable" });
/** What the node itself takes from a plugin's part; the rest is the plugin's. */
const pluginPart = z
  .looseObject({
    trusted: z.boolean().optional().meta({ description: "true: in the node's process; default: in one of its own, with a certificate." }),
    isolation: z
      .strictObject({
        memory: size(64 * 2 ** 20)
          .optional()
          .meta({ description: "What its process may hold; default 512MiB." }),
        time: duration(1).optional().meta({ description: "How long one work may take; default: as the action says." }),
        environment: z
          .array(variable)
          .max(256)
          .optional()
          .meta({ description: "Variables that it gets beside PATH, HOME, LANG, TZ, TMPDIR." }),
        hide: z
          .union([z.boolean(), z.array(z.string().startsWith("/")).min(1).max(64)], {
            error: "it is true, false, or a list of folders to hide beside the data folder, from / on",
          })
          .optional()
          .meta({ description: "Whether the data folder is hidden from it; default: where the system lets a node that is not root." }),
        user: z
          .string()
          .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, { error: "it is the name or number of a user" })
          .optional()
          .meta({ description: "The user that it runs as, where the node runs as root." }),
      })
      .optional(),
  })
  .refine(({ trusted, isolation }) => trusted !== true || isolation === undefined, {
    error: "isolation says nothing of a plugin that is trusted",
  });
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: "it is no name of an HTTP header" });
const headerValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: "a header's value is one line of text" });

const patterns = z
  .union([pattern, z.array(pattern).min(1).max(MAX_PATTERNS)], {
    error: `it is a pattern, or a list of 1 to ${MAX_PATTERNS}: A-Z a-z 0-9 . _ : - and * for any characters`,
  })
  .transform((value) => (typeof value === "string" ? [value] : value));
const rules = z
  .array(
    z.strictObject({
      from: patterns.optional().meta({ description: "Ids of senders; default any." }),
      groups: patterns.optional().meta({ description: "Groups that the sender is in; default any, or none." }),
      to: patterns.optional().meta({ description: "Ids of nodes that the rule is for; default any." }),
      directive: patterns.optional().meta({ description: "PLUGIN:ACTION; default any." }),
    }),
  )
  .max(1_000);

/** The keys that stand under `node` in the file and at the top in the library. */
const identity = {
  id: nodeId.meta({ description: "This node's name in the mesh. Without one it makes one at its first start and keeps it." }),
  groups: z.array(group).max(256).meta({ description: "Groups it is a member of, for any:GROUP and all:GROUP." }),
  dataDir: path.meta({ description: "Where messages, identity and plugins are kept; relative to this file." }),
  leaf: z.boolean().meta({ description: "Carries nothing for others." }),
};

const shared = {
  listen: z.array(url).max(64).meta({ description: "Where it listens; [] nowhere. Default tcp://127.0.0.1:8888." }),
  peers: z.array(url).max(256).meta({ description: "Whom it dials, for ever." }),
  insecure: z.boolean().meta({ description: "Allows listeners beyond loopback without a certificate." }),
  e2e: z
    .enum(["required", "preferred", "off"])
    .meta({ description: "With a certificate: whether messages are sealed from end to end; default required." }),
  transit: z.strictObject({
    bytesPerSecond: size(65_536)
      .optional()
      .meta({ description: "What each neighbour may have this node carry, in a second; default as much as it likes." }),
  }),
  work: z.strictObject({
    maxConcurrent: count(1, 100_000).optional().meta({ description: "Works that run at once; default 8." }),
    queue: count(0, 10_000_000).optional().meta({ description: "Works that wait; default 1000." }),
    retention: duration(0).optional().meta({ description: "How long outcomes are kept for who comes back; default 1h." }),
  }),
  store: z.strictObject({
    maxBytes: size(1024).optional().meta({ description: "Messages that may wait here, in bytes; default 1GiB." }),
    maxMessages: count(1, 1_000_000_000).optional().meta({ description: "Messages that may wait here; default 1000000." }),
    ttl: duration(0).optional().meta({ description: "Default time to live of what is sent from here; default 5m." }),
  }),
  plugins: z
    .union([z.literal("auto"), z.record(pluginName, pluginPart)], {
      error: `plugins is "auto", or a map from a plugin's name to its options ({} for none)`,
    })
    .meta({ description: "Which plugins run, with their options; auto: every one that is found." }),
  allow: rules.meta({
    description: "Who may send which work here. With a certificate nobody else may; without one, everybody where there are no rules.",
  }),
  deny: rules.meta({ description: "Who may not, whatever allow says." }),
  http: hostPort.meta({ description: "HOST:PORT of health, metrics and status." }),
  tls: z.strictObject({
    cert: path.optional().meta({ description: "PEM file, relative to this file." }),
    key: path.optional().meta({ description: "PEM file, relative to this file." }),
    ca: path.optional().meta({ description: "PEM file, relative to this file." }),
    identity: identityRule.optional().meta({ description: "Where certificates name their node; default mesh, with a ca." }),
  }),
  mesh: z.strictObject({
    sign: z
      .boolean()
      .optional()
      .meta({ description: "Signs certificates while it runs, with the authority's key in its data folder; default: as mesh init said." }),
  }),
  websocket: z.strictObject({
    headers: z.record(headerName, headerValue).optional().meta({ description: "Sent with each WebSocket that is dialled." }),
  }),
};

const log = z.strictObject({
  level: z.enum(LOG_LEVELS).optional().meta({ description: "Default info." }),
  format: z.enum(LOG_FORMATS).optional().meta({ description: "Default pretty." }),
});

/** receptor.config.yaml. Everything is optional; defaults come later, so that each source can be checked by itself. */
export const fileSchema = z.strictObject({ node: z.strictObject(identity).partial(), ...shared, log }).partial();

/** What `createNode` takes; `log` has been looked at before. */
export const optionsSchema = z.strictObject({ ...identity, ...shared, extraPlugins: z.array(path), log }).partial();

export type FileConfig = z.output<typeof fileSchema>;
export type ParsedOptions = z.output<typeof optionsSchema>;

/** The JSON Schema (draft 2020-12) of the file, for editors. */
export function fileJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(fileSchema, { io: "input", unrepresentable: "any" });
  return { $schema, title: "receptor.config.yaml", ...rest };
}
