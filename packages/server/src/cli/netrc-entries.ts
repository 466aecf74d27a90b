/** A netrc file that has a token for a host: one line, in place of one that was written so before. */
export function withNetrcEntry(text: string, host: string, token: string): string {
  const rest = withoutNetrcEntry(text, host);
  const before = rest === "" || rest.endsWith("\n") ? rest : `${rest}\n`;
  return `${before}machine ${host} login token password ${token}\n`;
}

/** The same without it. */
export function withoutNetrcEntry(text: string, host: string): string {
  return text
    .split("\n")
    .filter((line) => !line.startsWith(`machine ${host} login token password `))
    .join("\n");
}
