/** What the command line uses of the rooms that it does not import itself. */
export { describeHolder } from "../storage/holder.ts";
export { createLogger } from "../telemetry/logger.ts";
export { parseMeshUrl } from "../transports/url.ts";
