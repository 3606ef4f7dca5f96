import { BareLink } from "../support/bare-link.ts";
import { serve } from "../support/child.ts";
import { dial } from "../support/connect.ts";

/** Who stays connected and says nothing. */
serve({
  links: async ({ url, node, count }: { readonly url: string; readonly node: string; readonly count: number }) => {
    for (let i = 0; i < count; i++) await BareLink.join(url, `idle-${i}`, node);
  },
  sockets: async ({ port, count }: { readonly port: number; readonly count: number }) => {
    for (let i = 0; i < count; i++) await dial(port, undefined);
  },
});
