import { connect, type Socket } from "node:net";

/** Where a server listens: `http://host:port` or a Unix socket. */
export type ServerAddress = { readonly url: string } | { readonly socketPath: string };

/** A server address that has been looked at. */
export interface ParsedAddress {
  /** The address, for messages. */
  readonly name: string;
  /** What we call the server. Node would leave the brackets of `[::1]` out, which some servers refuse. */
  readonly authority: string;
  /** Begins to connect. */
  openSocket(): Socket;
}

const HTTP_PORT = 80;

/**
 * Reads an address. Of a URL there may be a host and a port, and nothing else: what cannot be done,
 * such as TLS or a path, is refused rather than left out.
 *
 * @throws RangeError that says what is not supported
 */
export function parseServerAddress(address: ServerAddress): ParsedAddress {
  if ("socketPath" in address) {
    const { socketPath } = address;
    if (socketPath === "") throw new RangeError("the path of the Unix socket is empty");
    return { name: socketPath, authority: "localhost", openSocket: () => connect(socketPath) };
  }
  const { url: text } = address;
  const url = URL.parse(text);
  const refuse = (why: string) => new RangeError(`server address ${JSON.stringify(text)}: ${why}`);
  if (url === null) throw refuse("expected http://host:port");
  if (url.protocol === "https:") throw refuse("TLS is not supported, put a proxy in front of the server");
  if (url.protocol !== "http:") throw refuse("expected http://host:port");
  if (url.pathname !== "/") throw refuse("a path is not supported");
  if (url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "") {
    throw refuse("nothing but a host and a port is supported");
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? HTTP_PORT : Number(url.port);
  return { name: text, authority: url.host, openSocket: () => connect({ host, port }) };
}
