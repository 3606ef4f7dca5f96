// A plugin needs nothing of receptor-mesh at run time. `receptor node --plugin ./examples/greet`
/** @type {import("receptor-mesh/plugin").PluginDefinition<{ words: string }>} */
export default {
  name: "greet",
  // Anything with parse(); a zod schema will do.
  options: { parse: (value) => ({ words: value?.words ?? "hello" }) },
  actions: {
    async *run(input, context) {
      context.log.info({ from: context.sender }, "greeting");
      for (const name of (await input.text()).split(/\s+/).filter(Boolean)) yield `${context.options.words} ${name}`;
    },
  },
};
