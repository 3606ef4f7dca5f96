import { failure } from "./errors.ts";

/** What a sender asks for. */
export interface Request {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Milliseconds; undefined: as the configuration says. */
  readonly timeout: number | undefined;
}

const EXAMPLE = 'send a URL, or {"url":"https://...","method":"GET","headers":{},"body":"","timeout":30000}';
const KEYS = ["url", "method", "headers", "body", "timeout"];

/** Reads a URL, or JSON `{"url","method","headers","body","timeout"}`. Throws INVALID_ARGUMENT, saying what is wrong. */
export function parseRequest(payload: string): Request {
  const text = payload.trim();
  const fields = new Map<string, unknown>(text.startsWith("{") ? Object.entries(parse(text)) : [["url", text]]);
  for (const key of fields.keys()) if (!KEYS.includes(key)) throw invalid(`"${key}" is unknown`);
  const method = methodOf(fields.get("method"));
  const given = fields.get("body");
  const headers = headersOf(fields.get("headers"));
  if (given !== undefined && (method === "GET" || method === "HEAD")) throw invalid(`a ${method} request has no body`);
  const isJson = given !== undefined && typeof given !== "string";
  if (isJson && !Object.keys(headers).some((name) => name.toLowerCase() === "content-type")) headers["content-type"] = "application/json";
  const body = isJson ? JSON.stringify(given) : given;
  return { url: urlOf(fields.get("url")), method, headers, body, timeout: timeoutOf(fields.get("timeout")) };
}

function urlOf(value: unknown): URL {
  const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) throw invalid('"url" must be an http or https URL');
  if (url.username !== "" || url.password !== "") throw invalid('"url" must not hold a password: send an authorization header');
  url.hash = "";
  return url;
}

function methodOf(value: unknown = "GET"): string {
  if (typeof value !== "string" || !/^[A-Za-z]{1,20}$/.test(value)) throw invalid('"method" must be a word such as POST');
  return value.toUpperCase();
}

function headersOf(value: unknown = {}): Record<string, string> {
  if (typeof value !== "object" || value === null) throw invalid('"headers" must map names to texts');
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || typeof text !== "string" || /[\r\n\0]/.test(text)) {
      throw invalid(`header "${name.slice(0, 64)}" must be a text of one line`);
    }
    headers[name] = text;
  }
  return headers;
}

function timeoutOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && value > 0 && value <= 2_147_483_647) return value;
  throw invalid('"timeout" must be a number of milliseconds above 0');
}

function parse(text: string): object {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw invalid("the payload begins like JSON and is none");
  }
}

function invalid(message: string): Error {
  return failure("INVALID_ARGUMENT", `${message}: ${EXAMPLE}`);
}
