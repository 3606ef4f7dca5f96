/** Whether a URL may be requested. */
export type AllowRule = (url: URL) => boolean;

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };

/**
 * A rule out of `https://api.example.com/v1/*`: scheme (`https`, `http` or `*`), host, port and path are compared one by one, so
 * that a `*` in one of them never reaches into the next. A rule without a path allows every path; one without a port only the
 * scheme's own; a host's `*` stands for one or more whole labels.
 * Throws where `pattern` is no such rule.
 */
export function parseAllowRule(pattern: string): AllowRule {
  const match = /^(https?|\*):\/\/([a-z0-9.*_-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?(\/[^#]*)?$/i.exec(pattern);
  if (match === null) throw new Error(`"${pattern}" is no rule for URLs: write it like https://api.example.com/v1/*`);
  const [, scheme = "*", host = "", port, path = "/*"] = match;
  const hostRule = glob(host.toLowerCase(), "[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*");
  const pathRule = glob(path, ".*");
  return (url) => {
    const name = url.protocol.slice(0, -1);
    if (DEFAULT_PORTS[name] === undefined || (scheme !== "*" && scheme.toLowerCase() !== name)) return false;
    const given = url.port === "" ? DEFAULT_PORTS[name] : url.port;
    if (port !== "*" && given !== (port ?? DEFAULT_PORTS[name])) return false;
    return hostRule.test(url.hostname) && pathRule.test(url.pathname + url.search);
  };
}

function glob(pattern: string, star: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(star)}$`, "s");
}
