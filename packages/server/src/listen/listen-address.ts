/** Where the server listens: a host and port, or a Unix socket. */
export type ListenAddress =
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | { readonly type: "unix"; readonly path: string };

/** Host names and numbers, IPv6 in brackets; then the port. */
const TCP = /^(?:\[(?<v6>[0-9a-fA-F:.%a-z]+)\]|(?<host>[^:[\]/@]+)):(?<port>\d{1,5})$/;

/**
 * Reads `localhost:8000`, `127.0.0.1:8000`, `[::1]:8000`, `[::]:8000`, `/path` or `./path`.
 * Port 0 lets the system choose one.
 *
 * @throws RangeError when it is none of these
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("/") || text.startsWith("./")) return { type: "unix", path: text };
  const groups = TCP.exec(text)?.groups;
  const port = Number(groups?.["port"]);
  const host = groups?.["v6"] ?? groups?.["host"];
  if (host === undefined || port > 65_535) {
    throw new RangeError(
      `invalid listen address ${JSON.stringify(text)}: expected host:port, [IPv6]:port or the path of a Unix socket`,
    );
  }
  return { type: "tcp", host, port };
}

/** The text that {@link parseListenAddress} reads. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.type === "unix") return address.path;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Whether only this machine can connect to an address. */
export function isLocalAddress(address: ListenAddress): boolean {
  if (address.type === "unix") return true;
  return address.host === "localhost" || address.host === "::1" || /^127(\.\d{1,3}){3}$/.test(address.host);
}
