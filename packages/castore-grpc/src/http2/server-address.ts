import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, getCACertificates } from "node:tls";

/** Where a server listens: `http://host:port`, `https://host:port` or a Unix socket. */
export type ServerAddress = { readonly url: string } | { readonly socketPath: string };

/** Whom a client believes, and what it shows, on `https`. */
export interface ClientTls {
  /** Certificates of whoever has to have signed the server's, in PEM. Default: those of Node and of the system. */
  readonly ca?: string | Uint8Array | undefined;
  /** What the client shows to servers that ask for it, in PEM. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
}

/** A server address that has been looked at. */
export interface ParsedAddress {
  /** The address, for messages. */
  readonly name: string;
  /** What we call the server. Node would leave the brackets of `[::1]` out, which some servers refuse. */
  readonly authority: string;
  readonly scheme: "http" | "https";
  /** Begins to connect. */
  openSocket(): Socket;
}

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/**
 * Reads an address. Of a URL there may be a host and a port, and nothing else: what cannot be done,
 * such as a path, is refused rather than left out.
 *
 * @throws RangeError that says what is not supported
 */
export function parseServerAddress(address: ServerAddress, tls: ClientTls = {}): ParsedAddress {
  if ("socketPath" in address) {
    const { socketPath } = address;
    if (socketPath === "") throw new RangeError("the path of the Unix socket is empty");
    const openSocket = () => connect(socketPath);
    return { name: socketPath, authority: "localhost", scheme: "http", openSocket };
  }
  const { url: text } = address;
  const url = URL.parse(text);
  const refuse = (why: string) => new RangeError(`server address ${JSON.stringify(text)}: ${why}`);
  const isTls = url?.protocol === "https:";
  if (url === null || (url.protocol !== "http:" && !isTls)) {
    throw refuse("expected http://host:port or https://host:port");
  }
  if (url.pathname !== "/") throw refuse("a path is not supported");
  if (url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "") {
    throw refuse("nothing but a host and a port is supported");
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (isTls ? HTTPS_PORT : HTTP_PORT) : Number(url.port);
  const openSocket = isTls ? () => openTls(host, port, tls) : () => connect({ host, port });
  return { name: text, authority: url.host, scheme: isTls ? "https" : "http", openSocket };
}

function openTls(host: string, port: number, { ca, cert, key }: ClientTls): Socket {
  const socket = connectTls({
    host,
    port,
    // An address is no name that could be asked for.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ["h2"],
    ca:
      ca === undefined ? [...getCACertificates("default"), ...getCACertificates("system")] : Buffer.from(ca),
    ...(cert === undefined ? {} : { cert: Buffer.from(cert) }),
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
  });
  socket.once("secureConnect", () => {
    if (socket.alpnProtocol !== "h2") socket.destroy(new Error("the server speaks no HTTP/2 over TLS"));
  });
  return socket;
}
