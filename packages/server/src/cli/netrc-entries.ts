/** In front of the entry of a server: netrc knows hosts only, and a token is for one server. */
const MARK = "# tvix-store login ";

/** A netrc file that has a token for a server, in place of one that was written so before. */
export function withNetrcEntry(text: string, origin: string, token: string): string {
  const rest = withoutNetrcEntry(text, origin);
  const before = rest === "" || rest.endsWith("\n") ? rest : `${rest}\n`;
  return `${before}${MARK}${origin}\nmachine ${new URL(origin).hostname} login token password ${token}\n`;
}

/** The same without it. */
export function withoutNetrcEntry(text: string, origin: string): string {
  const lines = text.split("\n");
  const at = lines.indexOf(`${MARK}${origin}`);
  return at === -1 ? text : [...lines.slice(0, at), ...lines.slice(at + 2)].join("\n");
}

/** The token that was written for a server; undefined where there is none. */
export function netrcToken(text: string, origin: string): string | undefined {
  const lines = text.split("\n");
  const at = lines.indexOf(`${MARK}${origin}`);
  return at === -1 ? undefined : / password (\S+)$/.exec(lines[at + 1] ?? "")?.[1];
}
