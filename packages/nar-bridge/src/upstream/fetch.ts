import type { ByteStream } from "@tvix/byte-stream";
import { NarBridgeError } from "../errors.ts";
import type { Upstream } from "./upstream.ts";

/** Redirections that are followed. */
const MAX_REDIRECTIONS = 5;

/** How a cache says that it has not got something; object stores without a listing right say 403. */
const MISSING = new Set([403, 404, 410]);

/**
 * Asks an upstream for a file.
 *
 * @param location relative to the upstream, or absolute
 * @returns its body; undefined when the upstream has not got it
 * @throws NarBridgeError UPSTREAM_FAILED, also when the file lies at another origin and that is
 *   not allowed
 */
export async function fetchFile(
  upstream: Upstream,
  location: string,
  signal: AbortSignal,
): Promise<ByteStream | undefined> {
  let url = resolveWithin(upstream, location, upstream.url);
  for (let hop = 0; hop <= MAX_REDIRECTIONS; hop++) {
    const response = await request(upstream, url, signal);
    if (response.status >= 300 && response.status < 400 && response.headers.has("location")) {
      await response.body?.cancel();
      url = resolveWithin(upstream, response.headers.get("location") as string, url);
      continue;
    }
    if (response.ok && response.body !== null) return response.body as unknown as ByteStream;
    await response.body?.cancel();
    if (MISSING.has(response.status)) return undefined;
    throw failure(upstream, `answered ${response.status}`);
  }
  throw failure(upstream, `redirected more than ${MAX_REDIRECTIONS} times`);
}

async function request(upstream: Upstream, url: URL, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url.href, { signal, redirect: "manual", headers: { "accept-encoding": "identity" } });
  } catch (cause) {
    throw failure(upstream, signal.aborted ? "did not answer in time" : "cannot be reached", cause);
  }
}

function resolveWithin(upstream: Upstream, location: string, base: URL): URL {
  if (!URL.canParse(location, base.href)) throw failure(upstream, "names a file by what is no address");
  const url = new URL(location, base.href);
  const isWeb = url.protocol === "http:" || url.protocol === "https:";
  if (!isWeb || (url.origin !== upstream.url.origin && !upstream.allowOtherOrigins)) {
    throw failure(upstream, "names a file at another origin, which is not allowed");
  }
  return url;
}

/** What clients are told names the upstream, and nothing of what it said. */
export function failure({ url }: Upstream, why: string, cause?: unknown): NarBridgeError {
  return new NarBridgeError("UPSTREAM_FAILED", `the upstream ${url.host} ${why}`, { cause });
}
