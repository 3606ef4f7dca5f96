import { toMeshError } from "../core/errors.ts";
import { nearestNames } from "../work/directive.ts";
import type { PluginFacts } from "../work/types.ts";
import { factsOf } from "./check.ts";
import type { PluginDefinition } from "./definition.ts";
import type { Origin, PluginProblem } from "./discovery.ts";
import type { IsolatedPlugin } from "./isolated/isolated-plugin.ts";
import type { Module } from "./load.ts";
import type { LoadedPlugin } from "./loaded.ts";
import { parseOptions } from "./options.ts";
import { invalid } from "./package.ts";
import { type PluginsSetting, settingsOf } from "./settings.ts";

/** A plugin whose code is loaded, and which has not started. */
export interface Candidate {
  readonly package: string;
  readonly label: string;
  readonly version: string;
  readonly origin: Origin;
  readonly entry: string;
  readonly fingerprint: string;
  readonly copy: string | undefined;
  readonly definition: PluginDefinition;
  readonly apart?: IsolatedPlugin;
  /** Once more; the name and `setting` say where. */
  loadAgain(setting: PluginsSetting): Promise<Module>;
  /** The plugin that runs this very code now. */
  readonly running: LoadedPlugin | undefined;
}

/** A candidate that is to run. */
export interface Chosen {
  readonly candidate: Candidate;
  readonly options: unknown;
  /** Its part of the configuration as JSON, to tell whether it changed. */
  readonly given: string;
  readonly facts: PluginFacts;
}

/** Decides which candidates run: those that the configuration names, the first of each name, and only with valid options. */
export function choose(
  candidates: readonly Candidate[],
  setting: PluginsSetting,
  reserved: readonly string[],
): { readonly chosen: readonly Chosen[]; readonly problems: readonly PluginProblem[] } {
  const chosen = new Map<string, Chosen>();
  const owners = new Map<string, Candidate>();
  const problems: PluginProblem[] = [];
  for (const candidate of candidates) {
    const { name } = candidate.definition;
    if (setting !== "auto" && candidate.origin !== "spec" && !Object.hasOwn(setting, name)) continue;
    try {
      if (reserved.includes(name)) throw invalid(candidate.package, `the name "${name}" is the node's own`);
      const owner = owners.get(name);
      if (owner !== undefined) throw taken(candidate, owner);
      owners.set(name, candidate);
      chosen.set(name, withOptions(candidate, setting === "auto" ? undefined : setting[name]));
    } catch (error) {
      problems.push({ package: candidate.label, error: toMeshError(error, "PLUGIN_INVALID") });
    }
  }
  if (setting !== "auto") {
    for (const name of Object.keys(setting)) {
      if (owners.has(name) || reserved.includes(name)) continue;
      const known = nearestNames(name, new Set(candidates.map(({ definition }) => definition.name)));
      problems.push({
        package: name,
        error: invalid(name, `the configuration names this plugin, and none of that name can be loaded; there is ${known}`),
      });
    }
  }
  return { chosen: [...chosen.values()], problems };
}

function taken(candidate: Candidate, owner: Candidate): Error {
  const { name } = candidate.definition;
  const place = (one: Candidate): string => `${one.package} ${one.version}`;
  return invalid(
    candidate.package,
    `the plugin name "${name}" is taken by ${place(owner)}, so that ${place(candidate)} is left out; remove one of the two`,
  );
}

/** Throws PLUGIN_INVALID where the plugin does not take its part of the configuration. */
function withOptions(candidate: Candidate, part: unknown): Chosen {
  const { definition, running } = candidate;
  const given = JSON.stringify(part ?? {});
  const facts = factsOf(definition, candidate.version);
  if (running !== undefined && running.given === given) return { candidate, options: running.options, given, facts };
  return { candidate, options: parseOptions(definition, settingsOf(part).options, candidate.package), given, facts };
}
