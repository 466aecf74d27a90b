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
  const [, authority, rest = ""] = ABSOLUTE.exec(request.url ?? "") ?? [];
  if (authority !== undefined) {
    request.headers.host = authority;
    request.url = rest.startsWith("/") ? rest : `/${rest}`;
  }
  const hosts = request.headersDistinct["host"] ?? [];
  if (hosts.length > 1 || !HOST.test(request.headers.host ?? "")) {
    return { status: 400, text: "Host is not the name of one server" };
  }
  const coding = request.headers["transfer-encoding"];
  if (coding !== undefined && coding.trim().toLowerCase() !== "chunked") {
    return { status: 501, text: "Transfer-Encoding may be chunked, and nothing else" };
  }
  return undefined;
}
