import { EXIT } from "../core/errors.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { clock, configuration, dataFolder, environment, type Finding, listeners, nodeVersion, npm, peers } from "./doctor-checks.ts";

const STYLES = { ok: "green", warn: "yellow", fail: "red" } as const;

/** `receptor doctor`: what is wrong here, and how to mend it. 1 where something fails. */
export async function run(args: Arguments, context: Context): Promise<number> {
  const { out } = context;
  const findings: Finding[] = [];
  const tell = (found: readonly Finding[]): void => {
    findings.push(...found);
    if (out.json) return;
    for (const { level, check, detail, mend } of found) {
      if (out.quiet && level === "ok") continue;
      out.print(`${out.style(STYLES[level], level.padEnd(4))}  ${check}: ${out.safe(detail)}`);
      if (mend !== undefined) out.print(`      ${out.safe(mend)}`);
    }
  };
  tell(nodeVersion(process.versions.node));
  tell(await npm(context));
  tell(clock(new Date()));
  tell(environment(context));
  const { found, config } = await configuration(args, context);
  tell(found);
  tell(await dataFolder(args, config, context));
  if (config !== undefined) tell(await listeners(config, context));
  tell(await peers(args, config, context));
  const failed = findings.some(({ level }) => level === "fail");
  if (out.json) out.object({ ok: !failed, checks: findings });
  return failed ? EXIT.failed : EXIT.done;
}
