import type { ServerAddress } from "@tvix/castore/grpc-http2";

/** Where the services are that a command works on. */
export interface ServiceAddresses {
  /** Where those are for which nothing else is said. */
  readonly serviceAddr: ServerAddress;
  readonly blobServiceAddr?: ServerAddress;
  readonly directoryServiceAddr?: ServerAddress;
  readonly pathInfoServiceAddr?: ServerAddress;
}

/** Where the services are unless told otherwise: a daemon on this machine. */
export const DEFAULT_SERVICE_ADDRESS = "grpc+http://localhost:8000";

/**
 * Reads `grpc+http://host[:port]`, `grpc+https://host[:port]` or `grpc+unix:///path`.
 *
 * @throws RangeError when it is none of these
 */
export function parseServiceAddress(text: string): ServerAddress {
  const url = URL.parse(text.replace(/^grpc\+/, ""));
  if (!text.startsWith("grpc+") || url === null)
    throw invalid(text, "expected grpc+http://host:port, grpc+https://host:port or grpc+unix:///path");
  if (url.search !== "" || url.hash !== "" || url.username !== "")
    throw invalid(text, "nothing may follow the address");
  if (url.protocol === "unix:") {
    if (url.host !== "") throw invalid(text, "host may not be set for unix domain sockets");
    if (url.pathname === "" || url.pathname === "/") throw invalid(text, "the path of the socket is missing");
    return { socketPath: decodeURIComponent(url.pathname) };
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw invalid(text, `${url.protocol.slice(0, -1)} is not supported`);
  if (url.pathname !== "/" && url.pathname !== "") throw invalid(text, "path may not be set");
  return { url: url.origin };
}

function invalid(text: string, why: string): RangeError {
  return new RangeError(`invalid service address ${JSON.stringify(text)}: ${why}`);
}
