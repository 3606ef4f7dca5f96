import { isActionName, isPluginName } from "../work/directive.ts";
import type { ActionFacts, PluginFacts } from "../work/types.ts";
import type { ActionDefinition, PluginDefinition } from "./definition.ts";
import { invalid, isRecord } from "./package.ts";

/** The plugin that a module exports. Throws PLUGIN_INVALID, naming `label` and what is wrong. */
export function checkDefinition(exported: unknown, label: string): PluginDefinition {
  if (exported === undefined || exported === null)
    throw invalid(label, "it has no default export; it should be a plugin: export default definePlugin({ ... })");
  if (!isRecord(exported)) throw invalid(label, "its default export is no plugin: an object with a name and actions");
  const { name, actions, concurrency, options, start, stop } = exported;
  if (!isPluginName(name)) throw invalid(label, `${quote(name)} is no plugin name: use 1 to 64 characters of a-z 0-9 -`);
  if (!isRecord(actions) || Object.keys(actions).length === 0) throw invalid(label, `plugin "${name}" has no actions`);
  for (const [action, definition] of Object.entries(actions)) {
    if (!isActionName(action)) throw invalid(label, `${quote(action)} is no action name: use 1 to 64 characters of A-Z a-z 0-9 - _`);
    const wrong = wrongWithAction(definition);
    if (wrong !== undefined) throw invalid(label, `action "${action}" ${wrong}`);
  }
  if (!isOptionalCount(concurrency)) throw invalid(label, "concurrency is a whole number of at least 1");
  if (options !== undefined && !(isObject(options) && "parse" in options && typeof options.parse === "function")) {
    throw invalid(label, "options is something with a parse() function");
  }
  for (const [hook, value] of [
    ["start", start],
    ["stop", stop],
  ] as const) {
    if (value !== undefined && typeof value !== "function") throw invalid(label, `${hook} is a function`);
  }
  return asDefinition(exported);
}

/** Checked field by field by its caller. */
function asDefinition(exported: object): PluginDefinition {
  return exported as PluginDefinition;
}

function wrongWithAction(definition: unknown): string | undefined {
  if (typeof definition === "function") return undefined;
  if (!isRecord(definition) || typeof definition["run"] !== "function") return "is neither a function nor an object with run()";
  const { idempotent, concurrency, deadline } = definition;
  if (idempotent !== undefined && typeof idempotent !== "boolean") return "says idempotent, which is true or false";
  if (!isOptionalCount(concurrency)) return "says concurrency, which is a whole number of at least 1";
  if (deadline !== undefined && !(typeof deadline === "number" && deadline > 0)) return "says deadline, which is milliseconds above 0";
  return undefined;
}

function isOptionalCount(value: unknown): boolean {
  return value === undefined || (typeof value === "number" && Number.isInteger(value) && value >= 1);
}

/** Schemas may be functions, and class instances. */
function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function quote(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : `a value of type ${typeof value}`;
}

/** An action in its long form; undefined where the plugin has none of that name. */
export function actionOf(definition: PluginDefinition, name: string): ActionDefinition<unknown> | undefined {
  if (!Object.hasOwn(definition.actions, name)) return undefined;
  const action = definition.actions[name];
  return typeof action === "function" ? { run: action } : action;
}

/** What the work machine needs to know of a plugin. */
export function factsOf(definition: PluginDefinition, version: string): PluginFacts {
  const actions = new Map<string, ActionFacts>();
  for (const name of Object.keys(definition.actions)) {
    const action = actionOf(definition, name);
    if (action === undefined) continue;
    const { idempotent = false, concurrency, deadline } = action;
    actions.set(name, { idempotent, ...(concurrency !== undefined && { concurrency }), ...(deadline !== undefined && { deadline }) });
  }
  const { name, concurrency } = definition;
  return { name, version, actions, ...(concurrency !== undefined && { concurrency }) };
}
