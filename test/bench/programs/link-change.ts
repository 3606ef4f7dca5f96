import { costsOfChanges } from "../../sim/costs.ts";
import { serve } from "../support/child.ts";

/** One node of a simulated mesh, in virtual time. */
serve({
  costs: ({ nodes, changes }: { readonly nodes: number; readonly changes: number }) => costsOfChanges(nodes, changes),
});
