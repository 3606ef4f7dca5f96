import type { World } from "./world.ts";

/** What is wrong in a world that has run and healed; empty where all promises were kept. */
export function violations(world: World): string[] {
  const wrong: string[] = [];
  for (const sent of world.sent.values()) {
    const what = `${sent.id} (${sent.from.id} to ${sent.to}, at ${Math.round(sent.at)})`;
    if (sent.dispatches > 1) wrong.push(`I2: ${what} ran ${sent.dispatches} times`);
    if (sent.outcomes.length === 0 && !sent.orphan) wrong.push(`I1: ${what} ended in nothing`);
    if (sent.outcomes.includes("answered") && sent.dispatches === 0) wrong.push(`I1: ${what} was answered but never ran`);
    if (sent.outcomes.includes("accepted") && sent.outcomes.length === 1 && !sent.orphan && sent.dispatches === 0)
      wrong.push(`I1: ${what} was accepted and never ran`);
  }
  const missing = world.unreachable();
  if (missing.length > 0) wrong.push(`I4: no route after healing: ${missing.slice(0, 5).join(", ")} (${missing.length})`);
  for (const node of world.nodes) if (node.fatal !== undefined) wrong.push(`R4: ${node.id} was told to leave: ${node.fatal.message}`);
  return wrong;
}
