import { isIP } from "node:net";
import { Refusal } from "./refusal.ts";

/** What is looked at to tell pages of other sites from those who may ask. */
export interface BrowserHead {
  readonly method: string;
  /** The Host of HTTP/1.1; undefined for HTTP/2 in clear text, which no browser speaks. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`. */
  readonly site: string | undefined;
}

/** Whom to expect from a browser. */
export interface BrowserRules {
  /** Whether only this machine can connect: then any name but its own was pointed here by somebody else. */
  readonly isLocal: boolean;
  /** Names by which it may be called beside those of this machine, in lower case. */
  readonly allowedHosts: readonly string[];
  /** Whether pages of an origin may call. */
  readonly isAllowedOrigin: (origin: string) => boolean;
}

/**
 * Keeps pages of other sites out: a page whose name leads to this machine (DNS rebinding), and one that
 * sends a form or a simple request to another site, which a browser lets it do unasked.
 *
 * @throws Refusal
 */
export function checkBrowser(head: BrowserHead, rules: BrowserRules): void {
  const name = head.host === undefined ? undefined : nameOf(head.host);
  if (rules.isLocal && name !== undefined && !isOwnName(name) && !rules.allowedHosts.includes(name)) {
    const text = `this server is not called ${JSON.stringify(name)}; --allowed-host lets it be`;
    throw new Refusal("MISDIRECTED", text);
  }
  if (head.method === "GET" || head.method === "HEAD" || head.method === "OPTIONS") return;
  const { origin, site, host } = head;
  if (origin !== undefined && !isSameOrigin(origin, host) && !rules.isAllowedOrigin(origin)) {
    throw new Refusal(
      "FORBIDDEN",
      `pages of ${JSON.stringify(origin.slice(0, 200))} may not call this server`,
    );
  }
  if (origin === undefined && site === "cross-site") {
    throw new Refusal("FORBIDDEN", "pages of other sites may not call this server");
  }
}

/** The last Host that was read, and its name: most requests come by the same. */
let lastHost = "";
let lastName: string | undefined;

/** The name in a Host, in lower case; undefined for an address, and for what is none that a browser sends. */
function nameOf(host: string): string | undefined {
  if (host !== lastHost) {
    lastName = readName(host);
    lastHost = host;
  }
  return lastName;
}

function readName(host: string): string | undefined {
  const name = /^([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)\.?(?::\d+)?$/i.exec(host)?.[1]?.toLowerCase();
  return name === undefined || isIP(name) !== 0 ? undefined : name;
}

/** Names of one label are given by whoever runs the network: no stranger can have one. */
function isOwnName(name: string): boolean {
  return !name.includes(".") || name.endsWith(".localhost");
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}
