import { PublicKey } from "@tvix/narinfo";
import { type Credentials, credentialsOf } from "./credentials.ts";

/** A binary cache that is asked for what is not here. */
export interface Upstream {
  /** Where its `nix-cache-info` lies; ends in a slash, and holds no secret. */
  readonly url: URL;
  /**
   * Paths need a signature by one of these, unless their names follow from their contents. Undefined:
   * whatever it tells of a path is believed.
   */
  readonly trustedKeys: readonly PublicKey[] | undefined;
  /** Whether narinfos and redirections may lead to other hosts. */
  readonly allowOtherOrigins: boolean;
  /** Time for a narinfo, in milliseconds. */
  readonly narInfoTimeoutMs: number;
  /** Time without a byte of a NAR coming in, in milliseconds. */
  readonly stallMs: number;
  /** What it is told of who asks; undefined where nothing is. */
  readonly credentials: Credentials | undefined;
}

const NARINFO_TIMEOUT_MS = 3000;
const STALL_MS = 30_000;

const PARAMETERS = [
  "trusted-public-keys",
  "allow-other-origins",
  "timeout-ms",
  "stall-timeout-ms",
  "netrc-file",
  "bearer-token-file",
];

/**
 * Reads the address of an upstream: `nix+http(s)://[user:password@]host/path?trusted-public-keys=…`,
 * keys separated by spaces. Further parameters: `allow-other-origins=false` (default true),
 * `timeout-ms` for narinfos (default 3000), `stall-timeout-ms` for NARs (default 30000),
 * `netrc-file` and `bearer-token-file` for private ones: files that are read when it is asked.
 *
 * @throws TypeError that says what is wrong, without a password; NarInfoError INVALID_KEY
 */
export function parseUpstream(text: string): Upstream {
  const upstream = parseUpstreamAddress(text);
  if (upstream.trustedKeys !== undefined) return upstream;
  throw new TypeError(
    `upstream ${upstream.url.host}: trusted-public-keys is missing, so nothing of it could be trusted`,
  );
}

/** The same, where an upstream without keys is believed whatever it tells. */
export function parseUpstreamAddress(text: string): Upstream {
  const [, scheme, rest] = /^nix\+(https?):(\/\/.+)$/.exec(text) ?? [];
  const url = scheme === undefined ? null : URL.parse(`${scheme}:${rest}`);
  // An @ behind the host is that of a password with an unescaped slash, whose beginning would be the host.
  if (
    url === null ||
    [/@/.test(url.pathname), /^\?[^=&]*@/.test(url.search), /@/.test(url.hash)].includes(true)
  ) {
    throw new TypeError(
      `${JSON.stringify(withoutPassword(text))} is no upstream: expected nix+http://… or nix+https://…, with %2F, %3F and %23 for / ? # in a password`,
    );
  }
  // Keys are base64: a plus sign is one, as for Nix, and not a space.
  const parameters = new URLSearchParams(url.search.replaceAll("+", "%2B"));
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw new TypeError(
        `upstream ${url.host}: ${JSON.stringify(name)} is none of ${PARAMETERS.join(", ")}`,
      );
    }
  }
  const keys = parameters
    .getAll("trusted-public-keys")
    .join(" ")
    .split(/[\s,]+/)
    .filter((key) => key !== "");
  const credentials = credentialsOf(url, {
    netrcFile: parameters.get("netrc-file") ?? undefined,
    bearerTokenFile: parameters.get("bearer-token-file") ?? undefined,
  });
  url.search = "";
  url.hash = "";
  url.username = "";
  url.password = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return {
    url,
    trustedKeys: keys.length === 0 ? undefined : keys.map((key) => PublicKey.parse(key)),
    allowOtherOrigins: parameters.get("allow-other-origins") !== "false",
    narInfoTimeoutMs: milliseconds(parameters, "timeout-ms", NARINFO_TIMEOUT_MS),
    stallMs: milliseconds(parameters, "stall-timeout-ms", STALL_MS),
    credentials,
  };
}

function milliseconds(parameters: URLSearchParams, name: string, otherwise: number): number {
  const text = parameters.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new TypeError(`${name}=${text} is no number of milliseconds`);
}

/** Whatever stands in front of the last @ may be a secret, also where it is not escaped as it should be. */
function withoutPassword(text: string): string {
  return text.replace(/\/\/.*@/s, "//…@");
}
