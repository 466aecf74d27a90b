import { type Logger, pino } from "pino";
import { type BoundAddress, formatListenAddress } from "../listen/listen-address.ts";

/** What is held for a reader that does not keep up, in bytes; more is dropped. */
const HELD_BYTES = 4 << 20;

/** The log of the daemon, on stderr: lines of JSON, or what a person can read where one is there to. */
export async function openLog(level: string): Promise<Logger> {
  const options = { name: "tvix-store", level };
  // Not at once: a reader that stands still would stop the process, and not only its log.
  if (!process.stderr.isTTY) {
    return pino(options, pino.destination({ dest: 2, sync: false, maxLength: HELD_BYTES }));
  }
  const { default: pretty } = await import("pino-pretty");
  return pino(options, pretty({ destination: 2, sync: false, ignore: "pid,hostname,name" }));
}

/** What a person is told who has started the daemon on a terminal. */
export function welcome(addresses: readonly BoundAddress[], data: string, isTls: boolean): string {
  const scheme = isTls ? "https" : "http";
  const tcp = addresses.find((address) => address.type === "tcp");
  const where = addresses.map((address) =>
    address === tcp ? `${scheme}://${formatListenAddress(address)}` : formatListenAddress(address),
  );
  // What stands for every address of this machine is none to call.
  const isAny = tcp !== undefined && ["0.0.0.0", "::"].includes(tcp.host);
  const called = tcp && formatListenAddress(isAny ? { ...tcp, host: "localhost" } : tcp);
  const first = called === undefined ? "" : firstSteps(`${scheme}://${called}`, isTls);
  return `tvix-store serves on ${where.join(" and ")}; Ctrl-C ends it.\nIts data is in ${data}.\n${first}`;
}

function firstSteps(url: string, isTls: boolean): string {
  return `
To try it:
  nix copy --to ${url} ./result               put a build result into it
  tvix-store import ./some/directory                  the same without Nix
  tvix-store path-info list                           list what is there
  buf curl ${isTls ? "" : "--http2-prior-knowledge "}--list-methods ${url}

`;
}
