import type { CommandSpec, OptionSpec } from "./spec.ts";

const FOLDER: Readonly<Record<string, OptionSpec>> = {
  "data-dir": { type: "text", alias: "d", value: "DIR", summary: "data folder of the node" },
  config: { type: "text", alias: "c", value: "FILE", summary: "configuration file" },
};

const TOKEN: Readonly<Record<string, OptionSpec>> = {
  uses: { type: "text", value: "N", summary: "how many nodes it lets in" },
  expires: { type: "text", value: "SECONDS", summary: "how long it holds, such as 1h or 2d; default 1h" },
};

/** Making a mesh, letting others in, and who may do what there. */
export const MEMBER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "mesh",
    summary: "make a secure mesh, and let others in",
    examples: [["mesh init", "make a mesh on its first machine"]],
    commands: [
      {
        name: "init",
        summary: "make a mesh with this node as its first, and print a join token",
        options: {
          id: { type: "text", alias: "i", value: "ID", summary: "its name in the mesh; default: one that it makes and keeps" },
          ...FOLDER,
          uses: { type: "text", value: "N", summary: "how many nodes the token lets in; default 10" },
          expires: { type: "text", value: "SECONDS", summary: "how long the token holds, such as 1h or 2d; default 1h" },
          offline: { type: "flag", summary: "the node signs nothing while it runs, also with the key in its folder" },
          validity: { type: "text", value: "SECONDS", summary: "how long certificates last; nodes renew them by themselves; default 90d" },
        },
        examples: [["mesh init --data-dir ./data", "make a mesh; what it prints lets other machines in"]],
        load: async () => (await import("./member.ts")).init,
      },
      {
        name: "token",
        summary: "join tokens of the node that made the mesh",
        examples: [["mesh token create --uses 3", "let in three nodes"]],
        commands: [
          {
            name: "create",
            summary: "make a join token and print it",
            options: {
              ...TOKEN,
              uses: { type: "text", value: "N", summary: "how many nodes it lets in; default 1" },
              id: { type: "list", alias: "i", value: "PATTERN", summary: "id that it lets in, * for any characters; default any" },
              group: { type: "list", alias: "g", value: "PATTERN", summary: "group that those may be in; default any" },
              replace: { type: "flag", summary: "its ids may be taken from nodes that have them" },
              ...FOLDER,
            },
            examples: [["mesh token create --id 'edge-*' --uses 20 --expires 1d", "let in twenty nodes with such ids, for a day"]],
            load: async () => (await import("./member.ts")).createToken,
          },
          {
            name: "list",
            summary: "join tokens, and whom they have let in",
            options: FOLDER,
            examples: [["mesh token list", "each token, never its secret"]],
            load: async () => (await import("./member.ts")).listTokens,
          },
          {
            name: "revoke",
            summary: "make a join token worthless; who has used it stays in",
            positionals: [{ name: "token", summary: "its id, as the list shows it", required: true }],
            options: FOLDER,
            examples: [["mesh token revoke 1f0c8a2b3d4e5f60", "this token lets nobody in any more"]],
            load: async () => (await import("./member.ts")).revokeToken,
          },
        ],
      },
    ],
  },
  {
    name: "cert",
    summary: "this node's certificate",
    examples: [["cert show", "what it says, and until when it holds"]],
    commands: [
      {
        name: "show",
        summary: "what it says, and until when it holds",
        options: FOLDER,
        examples: [["cert show --data-dir ./data", "the certificate in that folder"]],
        load: async () => (await import("./certificate.ts")).showCertificate,
      },
      {
        name: "check",
        summary: "whether a node can start with it",
        options: FOLDER,
        examples: [["cert check", "exit status 78, and why, if not"]],
        load: async () => (await import("./certificate.ts")).checkCertificate,
      },
      {
        name: "renew",
        summary: "get a new certificate now, from a node that signs",
        options: {
          "new-key": { type: "flag", summary: "for a new key, in place of the one that it has" },
          peer: { type: "list", alias: "p", value: "URL", summary: "node to ask through; default as for the other commands" },
          ...FOLDER,
        },
        examples: [["cert renew --new-key", "change the key; a node that runs uses it for its next link"]],
        load: async () => (await import("./certificate.ts")).renewCertificate,
      },
      {
        name: "request",
        summary: "write a request for a certificate, for an authority whose key is elsewhere",
        options: {
          id: { type: "text", alias: "i", value: "ID", summary: "the node's name in the mesh, where it has none yet" },
          group: { type: "list", alias: "g", value: "PATTERN", summary: "group that it may be in; default: those of the configuration" },
          "new-key": { type: "flag", summary: "for a new key, which is used when the certificate is installed" },
          out: { type: "text", alias: "o", value: "FILE", summary: "default ID.request" },
          ...FOLDER,
        },
        examples: [["cert request --id edge-7 --data-dir ./data", "writes edge-7.request"]],
        load: async () => (await import("./offline.ts")).requestCertificate,
      },
      {
        name: "sign",
        summary: "sign a request, where the authority's key is",
        positionals: [{ name: "file", summary: "the request", required: true }],
        options: {
          group: { type: "list", alias: "g", value: "PATTERN", summary: "group that the node may be in; default: those that it asks for" },
          replace: { type: "flag", summary: "also if another key has its id" },
          out: { type: "text", alias: "o", value: "FILE", summary: "default ID.crt" },
          ...FOLDER,
        },
        examples: [["cert sign edge-7.request --data-dir ./authority", "writes edge-7.crt"]],
        load: async () => (await import("./offline.ts")).signCertificate,
      },
      {
        name: "install",
        summary: "use a certificate that was signed elsewhere, or a list of revoked ones",
        positionals: [{ name: "file", summary: "what cert sign wrote, or the list that cert revoke names", required: true }],
        options: FOLDER,
        examples: [["cert install edge-7.crt --data-dir ./data", "a node that runs there uses it within seconds"]],
        load: async () => (await import("./offline.ts")).installCertificate,
      },
      {
        name: "revoke",
        summary: "cut a node off the mesh, where the authority's key is",
        positionals: [{ name: "node", summary: "its id: all certificates that it has now", required: false }],
        options: {
          serial: { type: "text", value: "NUMBER", summary: "one certificate, by its serial number" },
          force: { type: "flag", summary: "also a node that got no certificate here, or this one itself" },
          ...FOLDER,
        },
        examples: [["cert revoke edge-7", "within seconds no node links to edge-7, or believes what it says"]],
        load: async () => (await import("./certificate.ts")).revokeCertificate,
      },
      {
        name: "revoked",
        summary: "what was revoked, as far as this node knows",
        options: FOLDER,
        examples: [["cert revoked", "each node and certificate that holds no more"]],
        load: async () => (await import("./certificate.ts")).listRevoked,
      },
    ],
  },
  {
    name: "acl",
    summary: "who may send which work to this node",
    examples: [["acl test ctl echo:run", "whether ctl may ask for echo:run here, and which rule says so"]],
    commands: [
      {
        name: "test",
        summary: "whether a node may ask for a directive here; exit status 5 if not",
        positionals: [
          { name: "from", summary: "id of the sender", required: true },
          { name: "directive", summary: "PLUGIN:ACTION", required: true },
        ],
        options: {
          group: { type: "list", alias: "g", value: "GROUP", summary: "a group that the sender is in" },
          to: { type: "text", value: "ID", summary: "the node that is asked; default: this one" },
          ...FOLDER,
        },
        examples: [["acl test ctl echo:run --group operators", "the same for a sender in the group operators"]],
        load: async () => (await import("./acl.ts")).testAccess,
      },
    ],
  },
];
