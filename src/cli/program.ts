/** What every command needs, in one file of the build. */
export { Output } from "./output.ts";
export { finish, runCli } from "./run.ts";
export { services } from "./services.ts";
