import { collect, equalBytes } from "@tvix/byte-stream";
import { type NarInfo, NarInfoError, parseNarInfo } from "@tvix/narinfo";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { checkSignatures } from "../trust/signatures.ts";
import { NARINFO_MAX_BYTES } from "../write/narinfo.ts";
import { failure, fetchFile } from "./fetch.ts";
import type { Upstream } from "./upstream.ts";

/**
 * The narinfo of a path at an upstream, checked against its keys; undefined when the upstream
 * has none.
 *
 * @throws NarBridgeError UPSTREAM_FAILED, UNTRUSTED
 */
export async function fetchNarInfo(
  upstream: Upstream,
  digest: Uint8Array,
  closing: AbortSignal,
): Promise<NarInfo | undefined> {
  const signal = AbortSignal.any([closing, AbortSignal.timeout(upstream.narInfoTimeoutMs)]);
  const body = await fetchFile(upstream, `${encodeNixbase32(digest)}.narinfo`, signal);
  if (body === undefined) return undefined;
  let info: NarInfo;
  try {
    info = parseNarInfo(new TextDecoder().decode(await collect(body, NARINFO_MAX_BYTES)));
  } catch (cause) {
    const why = cause instanceof NarInfoError ? `sent what is no narinfo: ${cause.message}` : "broke off";
    throw failure(upstream, why, cause);
  }
  if (!equalBytes(info.storePath.digest, digest)) throw failure(upstream, "sent the narinfo of another path");
  checkSignatures(info, { unsigned: "require", trustedKeys: upstream.trustedKeys });
  return info;
}
