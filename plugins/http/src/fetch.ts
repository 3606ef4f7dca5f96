import { failure } from "./errors.ts";
import type { Options } from "./options.ts";
import type { Request } from "./request.ts";

const REDIRECTS = [301, 302, 303, 307, 308];
/** What must not follow a redirect to another origin. */
const SECRETS = ["authorization", "cookie", "proxy-authorization"];

/** The answer to a request, and the URL that gave it. */
export interface Answer {
  readonly response: Response;
  readonly url: URL;
}

/**
 * Makes the request and follows redirects, each checked like the first URL. Throws DENIED, CONNECT_FAILED, TIMEOUT or what
 * `signal` was aborted with.
 */
export async function request(asked: Request, options: Options, signal: AbortSignal): Promise<Answer> {
  let { url, method, headers, body } = asked;
  for (let redirects = 0; ; redirects++) {
    if (!options.allow.some((rule) => rule(url))) throw failure("DENIED", refusal(url, redirects > 0, options));
    const response = await send(url, { method, headers, body: body ?? null, redirect: "manual", signal });
    const location = response.headers.get("location");
    if (location === null || !REDIRECTS.includes(response.status)) return { response, url };
    await response.body?.cancel();
    if (redirects === options.maxRedirects)
      throw failure("WORK_FAILED", `${asked.url.href} redirects more than ${options.maxRedirects} times`);
    if (!URL.canParse(location, url.href)) throw failure("WORK_FAILED", `${url.href} redirects to what is no URL`);
    const next = new URL(location, url);
    if (next.origin !== url.origin) headers = without(headers, SECRETS);
    // As browsers do: only 307 and 308 repeat a request that changes something.
    if (response.status === 303 ? method !== "HEAD" : response.status < 303 && method === "POST") {
      method = "GET";
      body = undefined;
      headers = without(headers, ["content-type", "content-length", "content-encoding"]);
    }
    url = next;
  }
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    throw explain(error, url);
  }
}

/** What went wrong on the way to `url`, as an error with a code. */
export function explain(error: unknown, url: URL, code: "CONNECT_FAILED" | "STREAM_INCOMPLETE" = "CONNECT_FAILED"): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === "TimeoutError") return failure("TIMEOUT", `${url.href} did not answer in time`, error);
  // fetch hides the reason in the cause; an abort keeps its own.
  if (error.name !== "TypeError") return error;
  const reason = error.cause instanceof Error ? ("code" in error.cause ? String(error.cause.code) : error.cause.message) : error.message;
  const what = code === "CONNECT_FAILED" ? "could not be requested" : "broke off its answer";
  return failure(code, `${url.href} ${what}: ${reason}`, error);
}

function without(headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name.toLowerCase())));
}

function refusal(url: URL, redirected: boolean, options: Options): string {
  if (options.rules.length === 0) {
    return 'this node requests nothing: put for example `plugins: { http: { allow: ["https://api.example.com/*"] } }` in its configuration';
  }
  const what = redirected ? `a redirect to ${url.href}` : url.href;
  return `${what} is not allowed by this node, only ${options.rules.join(", ")}`;
}
