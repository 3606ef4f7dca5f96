const root = process.argv[2];
const { PluginHost } = await import(`${root}/src/plugin/host.ts`);
const { InlineSource } = await import(`${root}/src/plugin/payload-stream.ts`);
const { factsOf } = await import(`${root}/src/plugin/check.ts`);
const definition = { name: "greet", actions: { run: { idempotent: true, run: async (input: any) => { const b = await input.bytes(); return b; } } } };
let left = 0, done: () => void = () => {};
const host = new PluginHost({ node: "w", onEnded: () => { if (--left === 0) done(); } });
host.setPlugins(new Map([["greet", { definition, options: {}, facts: factsOf(definition, "1.0.0") }]]));
const sink = { respond: () => true, begin() {}, chunk: () => true, finish() {}, ready: () => Promise.resolve() };
const bytes = Buffer.alloc(256, 7);
let n = 0;
for (let r = 0; r < 8; r++) {
  const t = performance.now();
  for (let i = 0; i < 5000; i++) {
    left = 40;
    const all = new Promise<void>((res) => { done = res; });
    for (let k = 0; k < 40; k++) host.start({ id: `id${n++}`, plugin: "greet", action: "run", sender: "c", headers: {}, input: new InlineSource(bytes), sink });
    await all;
  }
  if (r > 2) console.log(((performance.now() - t) * 1e6 / 200000).toFixed(0), "ns a work");
}
