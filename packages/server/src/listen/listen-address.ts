/** Where the server listens. */
export type ListenAddress =
  | BoundAddress
  /** What systemd has opened for this process; of several only the one of this name. */
  | { readonly type: "activated"; readonly name: string | undefined };

/** Where a server turns out to listen. */
export type BoundAddress =
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | UnixAddress
  /** A Unix socket that has a name and no file, as Linux has them. */
  | { readonly type: "abstract"; readonly name: string }
  /** Standard input and output are the only connection, as inetd has it. */
  | { readonly type: "stdio" };

/** A Unix socket. */
export interface UnixAddress {
  readonly type: "unix";
  readonly path: string;
  /** Who may connect, as permissions of its file. Default: as the process makes files. */
  readonly mode?: number | undefined;
  /** Its owner and group, by number. Default: those of the process. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** Host names and numbers, IPv6 in brackets; then the port. */
const TCP = /^(?:\[(?<v6>[0-9a-fA-F:.%a-z]+)\]|(?<host>[^:[\]/@]+)):(?<port>\d{1,5})$/;

/** The names that tokio-listener has for it, with a name behind a colon. */
const ACTIVATED = /^sd[-_]listen(?:[-_]unix)?(?::(?<name>.+))?$/i;

/**
 * Reads `localhost:8000`, `127.0.0.1:8000`, `[::1]:8000`, `[::]:8000`, `/path`, `./path`, `@name`,
 * `sd-listen`, `sd-listen:name`, `-`, `stdio` or `inetd`. Port 0 lets the system choose one.
 *
 * @throws RangeError when it is none of these
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("/") || text.startsWith("./")) return { type: "unix", path: text };
  if (/^@[^\0]{1,107}$/.test(text)) return { type: "abstract", name: text.slice(1) };
  if (["-", "stdio", "inetd"].includes(text.toLowerCase())) return { type: "stdio" };
  const activated = ACTIVATED.exec(text);
  if (activated !== null) return { type: "activated", name: activated.groups?.["name"] };
  const groups = TCP.exec(text)?.groups;
  const port = Number(groups?.["port"]);
  const host = groups?.["v6"] ?? groups?.["host"];
  if (host === undefined || port > 65_535) {
    throw new RangeError(
      `invalid listen address ${JSON.stringify(text)}: expected host:port, [IPv6]:port, the path of a Unix socket, @name, sd-listen or stdio`,
    );
  }
  return { type: "tcp", host, port };
}

/** The text that {@link parseListenAddress} reads. */
export function formatListenAddress(address: ListenAddress): string {
  switch (address.type) {
    case "unix":
      return address.path;
    case "abstract":
      return `@${address.name}`;
    case "stdio":
      return "stdio";
    case "activated":
      return address.name === undefined ? "sd-listen" : `sd-listen:${address.name}`;
    case "tcp":
      return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
  }
}

/** Whether only this machine can connect to an address. */
export function isLocalAddress(address: ListenAddress): boolean {
  // Whoever has opened those knows who is at the other end; here they may be anybody.
  if (address.type === "activated" || address.type === "stdio") return false;
  if (address.type !== "tcp") return true;
  return address.host === "localhost" || address.host === "::1" || /^127(\.\d{1,3}){3}$/.test(address.host);
}
