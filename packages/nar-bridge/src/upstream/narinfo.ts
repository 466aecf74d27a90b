import { collect, equalBytes } from "@tvix/byte-stream";
import { compressionOf, type NarInfo, NarInfoError, parseNarInfo } from "@tvix/narinfo";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { certifiesItself, checkSignatures } from "@tvix/store";
import { compressionOfName } from "../compression/compression.ts";
import { NARINFO_MAX_BYTES } from "../write/narinfo.ts";
import { fetchFile, isReachable } from "./fetch.ts";
import { TimeLimit } from "./time-limit.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamError } from "./upstream-error.ts";
import type { WebClient } from "./web-client.ts";

/**
 * The narinfo of a path at an upstream whose NAR can be had from it, and can be trusted: it is
 * signed by one of its keys where there are any, or the name of the path follows from the contents,
 * which are compared when they come. Undefined when the upstream has none.
 *
 * @param maxNarBytes a longer NAR is none that can be had
 * @throws UpstreamError
 */
export async function fetchNarInfo(
  client: WebClient,
  upstream: Upstream,
  digest: Uint8Array,
  closing: AbortSignal,
  maxNarBytes: number,
): Promise<NarInfo | undefined> {
  const info = await readNarInfo(client, upstream, digest, closing);
  if (info === undefined) return undefined;
  if (!equalBytes(info.storePath.digest, digest)) {
    throw new UpstreamError(upstream, "sent the narinfo of another path");
  }
  const { trustedKeys } = upstream;
  if (trustedKeys !== undefined && !certifiesItself(info)) {
    try {
      checkSignatures(info, trustedKeys);
    } catch (cause) {
      throw new UpstreamError(upstream, `is not trusted: ${(cause as Error).message}`, { cause });
    }
  }
  const compression = compressionOf(info);
  if (compressionOfName(compression) === undefined) {
    throw new UpstreamError(upstream, `compresses a NAR with ${compression}, which cannot be read here`);
  }
  if (info.narSize > maxNarBytes) throw new UpstreamError(upstream, `has a NAR of ${info.narSize} bytes`);
  if (!(await isReachable(upstream, info.url))) {
    throw new UpstreamError(upstream, "has a NAR where it may not be fetched from");
  }
  return info;
}

/** @throws NarInfoError when it is no text */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new NarInfoError("INVALID_NARINFO", "it is no UTF-8", { cause });
  }
}

async function readNarInfo(
  client: WebClient,
  upstream: Upstream,
  digest: Uint8Array,
  closing: AbortSignal,
): Promise<NarInfo | undefined> {
  const limit = new TimeLimit(upstream.narInfoTimeoutMs, closing);
  try {
    const file = await fetchFile(client, upstream, `${encodeNixbase32(digest)}.narinfo`, limit.signal);
    if (file === undefined) return undefined;
    return parseNarInfo(textOf(await collect(file.decode(file.body), NARINFO_MAX_BYTES)));
  } catch (cause) {
    if (cause instanceof UpstreamError) throw cause;
    if (limit.signal.aborted)
      throw new UpstreamError(upstream, "did not answer in time", { cause, passing: true, ofHost: true });
    const why = cause instanceof NarInfoError ? `sent what is no narinfo: ${cause.message}` : "broke off";
    throw new UpstreamError(upstream, why, { cause });
  } finally {
    limit.end();
  }
}
