import type { ServerAddress } from "@tvix/castore-grpc/http2";
import { filePathOf } from "./addresses.ts";

/** A server of gRPC, and how to talk to it. */
export interface GrpcPeer {
  /** The address as it was written. */
  toString(): string;
  readonly server: ServerAddress;
  /** Whether it has to answer while the store is opened. Default: it is connected to when it is first used. */
  readonly waitConnect: boolean;
  /** A file with a token to show. It is read when it is needed. */
  readonly bearerTokenFile: string | undefined;
  /** Certificates to believe, in PEM. */
  readonly caFile: string | undefined;
}

const PARAMETERS = ["wait-connect", "bearer-token-file", "ca-file"];

/**
 * Reads `grpc+http://host[:port]`, `grpc+https://host[:port]` or `grpc+unix:///path`, with parameters
 * `wait-connect=1` to connect at once, `bearer-token-file` and `ca-file`.
 *
 * @throws RangeError that names the part that is wrong, and not the address: there may be a password in it
 */
export function parseGrpcPeer(text: string): GrpcPeer {
  if (!text.startsWith("grpc+")) throw new RangeError("the prefix grpc+ is missing");
  const url = URL.parse(text.slice("grpc+".length));
  if (url === null) {
    throw new RangeError("expected grpc+http://host:port, grpc+https://host:port or grpc+unix:///path");
  }
  if (url.hash !== "" || url.username !== "" || url.password !== "") {
    throw new RangeError("nothing but parameters may follow the address, and no user stands in front of it");
  }
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw new RangeError(
        `there is no parameter ${JSON.stringify(name)}; there are ${PARAMETERS.join(", ")}`,
      );
    }
  }
  return {
    toString: () => text,
    server: serverOf(url),
    waitConnect: flag(url.searchParams.get("wait-connect")),
    bearerTokenFile: url.searchParams.get("bearer-token-file") ?? undefined,
    caFile: url.searchParams.get("ca-file") ?? undefined,
  };
}

function serverOf(url: URL): ServerAddress {
  if (url.protocol === "unix:") {
    if (url.host !== "") throw new RangeError("host may not be set for unix domain sockets");
    if (url.pathname === "" || url.pathname === "/")
      throw new RangeError("the path of the socket is missing");
    return { socketPath: filePathOf(url) };
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new RangeError(`${url.protocol.slice(0, -1)} is not supported`);
  }
  if (url.pathname !== "/" && url.pathname !== "") throw new RangeError("path may not be set");
  return { url: url.origin };
}

function flag(value: string | null): boolean {
  if (value === null || value === "0") return false;
  if (value === "1") return true;
  throw new RangeError(`wait-connect is 0 or 1, not ${JSON.stringify(value)}`);
}
