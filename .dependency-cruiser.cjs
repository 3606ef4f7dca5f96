// The house: which room may import which (docs/architecture.md). Whatever is not listed here is an error.
const rooms = {
  core: [],
  wire: ["core"],
  link: ["core", "wire"],
  routing: ["core", "wire"],
  delivery: ["core", "wire"],
  sealing: ["core", "wire"],
  work: ["core", "wire"],
  transports: ["core"],
  storage: ["core", "wire"],
  plugin: ["core", "work"],
  // For the names of the files that a node's identity is in.
  config: ["core", "identity"],
  telemetry: ["core"],
  // For the ports that it implements.
  identity: ["core", "sealing"],
  node: ["core", "wire", "link", "routing", "delivery", "sealing", "work", "transports", "storage", "plugin", "config", "telemetry", "identity"],
  // core is how a command names errors and exit statuses; everything else reaches it through node.
  cli: ["core", "node", "config"],
};
const doors = {
  index: ["core", "node", "config"],
  plugin: ["core", "plugin"],
  testing: Object.keys(rooms).filter((room) => room !== "cli"),
};
const pure = ["core", "wire", "link", "routing", "delivery", "sealing", "work"];

/** Within delivery: the two ends know nothing of each other. */
const parts = {
  streams: [],
  records: [],
  parking: ["records"],
  origin: ["parking", "records", "streams"],
  destination: ["records", "streams"],
};

/** Packages that only one room may know, so that replacing one touches one room. */
const packages = {
  msgpackr: "wire",
  level: "storage",
  "classic-level": "storage",
  "abstract-level": "storage",
  yargs: "cli",
  pino: "telemetry",
  "pino-pretty": "telemetry",
  "prom-client": "telemetry",
  ws: "transports",
  "proxy-from-env": "transports",
  "@peculiar/x509": "identity",
  "reflect-metadata": "identity",
  zod: "config",
  yaml: "config",
};

const anyOf = (names) => `(${names.join("|")})`;
const npm = (name) => `(^|/)node_modules/(@types/)?${name}(/|$)`;

module.exports = {
  forbidden: [
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `arrows-${room}`,
      comment: `${room} imports ${allowed.length === 0 ? "no other room" : `only ${allowed.join(", ")}`}`,
      severity: "error",
      from: { path: `^src/${room}/` },
      to: { path: `^src/(?!${anyOf([room, ...allowed])}/)` },
    })),
    ...Object.entries(parts).map(([part, allowed]) => ({
      name: `delivery-${part}`,
      comment: `delivery/${part} imports ${allowed.length === 0 ? "no other part" : `only ${allowed.join(", ")}`} of the room`,
      severity: "error",
      from: { path: `^src/delivery/${part}/` },
      to: { path: `^src/delivery/(?!${anyOf([part, ...allowed])}/).+/` },
    })),
    ...Object.entries(doors).map(([door, allowed]) => ({
      name: `door-${door}`,
      comment: `src/${door}.ts imports only ${allowed.join(", ")}`,
      severity: "error",
      from: { path: `^src/${door}[.]ts$` },
      to: { path: `^src/(?!${anyOf(allowed)}/)` },
    })),
    ...Object.entries(packages).map(([name, room]) => ({
      name: `package-${name}`,
      comment: `${name} lives only in src/${room}`,
      severity: "error",
      from: { path: "^src/", pathNot: `^src/${room}/` },
      to: { path: npm(name) },
    })),
    {
      name: "identity-knows-ports",
      comment: "identity implements the ports of sealing and knows no more of it",
      severity: "error",
      from: { path: "^src/identity/" },
      to: { path: "^src/sealing/", pathNot: "^src/sealing/ports[.]ts$" },
    },
    {
      name: "pure-no-node",
      comment: "the pure rooms know nothing of Node",
      severity: "error",
      from: { path: `^src/${anyOf(pure)}/` },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "src-knows-no-plugin",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^plugins/|^@receptor-mesh/plugin-|node_modules/@receptor-mesh/" },
    },
    {
      name: "plugins-use-the-doors",
      comment: "a plugin imports receptor-mesh, receptor-mesh/plugin, receptor-mesh/testing and its own files",
      severity: "error",
      from: { path: "^plugins/([^/]+)/(?!test/)" },
      to: { path: "^(src|plugins|test|scripts|dist)/", pathNot: "^plugins/$1/|^(src|dist)/(index|plugin|testing)[.]" },
    },
    {
      name: "plugin-tests-use-the-doors",
      comment: "a plugin's tests also share one harness",
      severity: "error",
      from: { path: "^plugins/([^/]+)/test/" },
      to: {
        path: "^(src|plugins|test|scripts|dist)/",
        pathNot: "^plugins/$1/|^(src|dist)/(index|plugin|testing)[.]|^test/support/plugin-harness[.]ts$",
      },
    },
    {
      name: "src-knows-no-tests",
      severity: "error",
      from: { path: "^(src|plugins/[^/]+/src)/" },
      to: { path: "^test/|^plugins/[^/]+/test/|^scripts/" },
    },
    {
      name: "only-declared-packages",
      comment: "what the product imports at run time stands in dependencies",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only"] },
    },
    { name: "no-cycles", severity: "error", from: { path: "^(src|plugins)/" }, to: { circular: true } },
    { name: "resolvable", severity: "error", from: { path: "^(src|plugins)/" }, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules|^dist/" },
    exclude: { path: "^plugins/[^/]+/(dist|node_modules)/" },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    tsConfig: { fileName: `${__dirname}/tsconfig.test.json` },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".json"],
    },
  },
};
