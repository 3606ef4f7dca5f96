/** For the tests of plugins, controllers, transports and stores. */
export { MemoryMesh } from "./node/memory-mesh.ts";
export { testPlugin } from "./plugin/test-plugin.ts";
export { storeCompliance } from "./storage/compliance.ts";
export { MemoryStore } from "./storage/memory-store.ts";
export { transportCompliance } from "./transports/compliance.ts";
export { MemoryHub } from "./transports/memory.ts";

export type { MemoryNodeOptions } from "./node/memory-mesh.ts";
export type {
  TestPayload,
  TestPlugin,
  TestPluginOptions,
  TestResponse,
  TestResult,
  TestRun,
  TestRunOptions,
} from "./plugin/test-plugin.ts";
export type { StoreFixture } from "./storage/compliance.ts";
export type { Store } from "./storage/store.ts";
export type { TransportUnderTest } from "./transports/compliance.ts";
export type { Pipe, Transport } from "./transports/transport.ts";
