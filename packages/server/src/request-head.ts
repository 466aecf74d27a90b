import type { IncomingMessage } from "node:http";

/** A target that names the server as well, as those have that are sent to a proxy (RFC 9112, 3.2.2). */
const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)/i;

/** What a Host may have in it, which is more than any has. */
const HOST = /^[^\s/?#@\\,]*$/;

/**
 * What is wrong with the head of a request, so that nobody can say what it asks for. One whose target names the server is
 * made into what it stands for: such a name counts, and not that of Host.
 */
export function faultOfHead(request: IncomingMessage): { status: number; text: string } | undefined {
  if (request.url?.startsWith("/") !== true) {
    const [, authority, rest = ""] = ABSOLUTE.exec(request.url ?? "") ?? [];
    if (authority !== undefined) {
      request.headers.host = authority;
      request.url = rest.startsWith("/") ? rest : `/${rest}`;
    }
  }
  if (hasSecondHost(request.rawHeaders) || !HOST.test(request.headers.host ?? "")) {
    return { status: 400, text: "Host is not the name of one server" };
  }
  const coding = request.headers["transfer-encoding"];
  if (coding !== undefined && coding.trim().toLowerCase() !== "chunked") {
    return { status: 501, text: "Transfer-Encoding may be chunked, and nothing else" };
  }
  return undefined;
}

/** Read off what came: Node makes a list of every field for whoever asks it for one. */
function hasSecondHost(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts > 1;
}
