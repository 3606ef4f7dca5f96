/** What the benchmark asks of a worker. */
export default {
  name: "bench",
  actions: {
    /** `{"count","size"}`: so many responses of so many bytes. */
    async flood(input) {
      const { count, size } = await input.json();
      return messages(count, size);
    },
    /** The same, with a promise for each. */
    async *floodAwaited(input) {
      const { count, size } = await input.json();
      yield* messages(count, size);
    },
    /** Reads its payload; how many bytes, and the milliseconds from the first to the last. */
    async sink(input) {
      let bytes = 0;
      let began;
      for await (const chunk of input.stream()) {
        began ??= performance.now();
        bytes += chunk.length;
      }
      return { bytes, milliseconds: performance.now() - (began ?? performance.now()) };
    },
  },
};

function* messages(count, size) {
  const message = Buffer.alloc(size, 7);
  for (let i = 0; i < count; i++) yield message;
}
