/** What of the node's environment every plugin gets. */
export const PASSED_ON: readonly string[] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/**
 * The environment of a plugin's process: what is always passed on, and what the configuration names. `other`: it runs as another user
 * than the node, whose home is not the node's.
 */
export function pluginEnvironment(own: NodeJS.ProcessEnv, named: readonly string[], other: boolean): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of [...PASSED_ON, ...named]) {
    const value = own[name];
    if (value !== undefined && !(other && name === "HOME")) passed[name] = value;
  }
  return passed;
}
