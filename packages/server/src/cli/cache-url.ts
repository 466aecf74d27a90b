import { type CacheInfo, parseCacheInfo } from "@tvix/narinfo";

/** Longest `nix-cache-info`, in bytes, and the time for it, in milliseconds. */
const MAX_BYTES = 64 << 10;
const TIMEOUT_MS = 15_000;

/** An address of a binary cache, as Nix has it: `http(s)://host[:port][/path]`. @throws Error */
export function parseCacheUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new Error("expected http://host or https://host");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new Error("nothing but a path may follow the host, and no user stands in front of it");
  }
  return url;
}

/** Whether a host of an address is this machine. */
export function isLocalHost(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

/** The address without a slash at its end. */
export function shownUrl(url: URL): string {
  return url.href.replace(/\/$/, "");
}

/**
 * What a cache says of itself.
 *
 * @throws Error that tells what the cache said instead
 */
export async function fetchCacheInfo(url: URL, token: string | undefined): Promise<CacheInfo> {
  const at = `${shownUrl(url)}/nix-cache-info`;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  let response: Response;
  try {
    response = await fetch(at, { headers, redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new Error(`${at} cannot be reached`, { cause });
  }
  const text = await readStart(response, MAX_BYTES);
  if (response.status === 401)
    throw new Error(`${at} needs a token, or does not know this one: ${text.trim()}`);
  if (!response.ok) throw new Error(`${at} answers ${response.status}: ${text.slice(0, 200).trim()}`);
  try {
    return parseCacheInfo(text);
  } catch (cause) {
    throw new Error(`${shownUrl(url)} is no binary cache of Nix`, { cause });
  }
}

/** The beginning of an answer as text; what comes behind it is not read. */
export async function readStart(response: Response, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    length += piece.length;
    if (length >= maxBytes) break;
  }
  return Buffer.concat(pieces).subarray(0, maxBytes).toString("utf8");
}
