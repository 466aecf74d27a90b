/**
 * What a client calls this server, as a URL can have it: Connect makes one, and throws where
 * nobody catches. Some clients leave the brackets out of `[::1]:8000`; others may send anything.
 */
export function authorityOf(name: string | undefined): string {
  return URL.canParse(`http://${name ?? ""}`) ? (name as string) : "localhost";
}
