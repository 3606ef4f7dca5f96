/** What a plugin's author imports. A plugin needs nothing of it at run time. */
export { definePlugin, PLUGIN_API } from "./plugin/definition.ts";
export type {
  ActionDefinition,
  ActionFunction,
  ChannelResponse,
  Context,
  Input,
  OptionsSchema,
  Payload,
  PluginDefinition,
  PluginLog,
  Responses,
} from "./plugin/definition.ts";
