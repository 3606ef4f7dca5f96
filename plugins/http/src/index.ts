import { Readable } from "node:stream";
import type { PluginDefinition } from "receptor-mesh/plugin";
import { failure } from "./errors.ts";
import { explain, request } from "./fetch.ts";
import { type Options, parseOptions } from "./options.ts";
import { parseRequest } from "./request.ts";

/** Makes HTTP requests from where the node is. */
export default {
  name: "http",
  options: { parse: parseOptions },
  actions: {
    /** A URL, or `{"url","method","headers","body","timeout"}`; answers `{"status","headers","url"}`, then the body as a stream. */
    async *run(input, context) {
      const { options } = context;
      const asked = parseRequest(await input.text());
      const stop = new AbortController();
      const cancel = (): void => stop.abort(context.signal.reason);
      context.signal.addEventListener("abort", cancel, { once: true });
      // Not AbortSignal.any over AbortSignal.timeout: Node 20 collects the timeout, and the request would have none.
      const over = (): void => stop.abort(new DOMException("the time is over", "TimeoutError"));
      const timer = setTimeout(over, Math.min(asked.timeout ?? options.timeout, options.timeout));
      try {
        const { response, url } = await request(asked, options, stop.signal);
        const length = Number(response.headers.get("content-length") ?? 0);
        if (asked.method !== "HEAD" && length > options.maxBytes) {
          await response.body?.cancel();
          throw tooLarge(url, options);
        }
        yield { status: response.status, url: url.href, headers: headersOf(response) };
        if (response.body !== null) yield Readable.from(bodyOf(response, url, options), { objectMode: false });
      } finally {
        clearTimeout(timer);
        context.signal.removeEventListener("abort", cancel);
      }
    },
  },
} satisfies PluginDefinition<Options>;

async function* bodyOf(response: Response, url: URL, options: Options): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > options.maxBytes) throw tooLarge(url, options);
      yield chunk;
    }
  } catch (error) {
    throw explain(error, url, "STREAM_INCOMPLETE");
  }
}

/** By lower-case name; `set-cookie` as a list. */
function headersOf(response: Response): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.fromEntries(response.headers);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  if (headers["content-encoding"] !== undefined) {
    // The body is sent on decoded, so these two would be wrong about it.
    delete headers["content-encoding"];
    delete headers["content-length"];
  }
  return headers;
}

function tooLarge(url: URL, options: Options): Error {
  return failure("TOO_LARGE", `the body of ${url.href} is larger than the ${options.maxBytes} bytes that this node allows (maxBytes)`);
}
