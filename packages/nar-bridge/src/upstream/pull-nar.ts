import type { ByteBudget, Node } from "@tvix/castore";
import { compressionOf, extraFieldsOf, type NarInfo } from "@tvix/narinfo";
import { certifiesItself, type IngestServices, ingestNar, type KnownNar } from "@tvix/store";
import { compressionOfName } from "../compression/compression.ts";
import type { DecoderLimits } from "../compression/decoder-memory.ts";
import { decompress } from "../compression/decompress.ts";
import { within } from "../http/request-body.ts";
import type { Bridge, NarBridgeLimits } from "../options.ts";
import { pathInfoOf } from "../write/narinfo.ts";
import { download } from "./download.ts";
import { TimeLimit } from "./time-limit.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamError } from "./upstream-error.ts";
import type { WebClient } from "./web-client.ts";

/** What fetches NARs, and where to. */
export interface NarDestination extends IngestServices {
  readonly decoders: DecoderLimits;
  /** What files of all NARs that are fetched hold until they are stored. */
  readonly underWay: ByteBudget;
  readonly limits: Pick<NarBridgeLimits, "uploadTimeoutMs">;
}

/**
 * Fetches the NAR of a verified narinfo and stores it with its path info.
 *
 * @throws as {@link fetchNar}
 */
export async function pullNar(
  bridge: Bridge,
  client: WebClient,
  upstream: Upstream,
  info: NarInfo,
  closing: AbortSignal,
): Promise<KnownNar> {
  const { narHash, narSize, storePath } = info;
  const node = await fetchNar(bridge, client, upstream, info, closing);
  await bridge.narIndex.put({ narHash, narSize, node, lasting: true });
  await bridge.narInfoExtras.put(storePath.digest, narHash, { fields: extraFieldsOf(info), plain: true });
  await bridge.pathInfoService.put(pathInfoOf(info, node));
  return { narHash, narSize, node };
}

/**
 * Fetches the NAR of a verified narinfo and stores its contents.
 *
 * @throws UpstreamError when it cannot be had, or is not what the narinfo says; CastoreError when
 *   it cannot be stored
 */
export async function fetchNar(
  destination: NarDestination,
  client: WebClient,
  upstream: Upstream,
  info: NarInfo,
  closing: AbortSignal,
): Promise<Node> {
  const { narHash, narSize, storePath } = info;
  const compression = compressionOfName(compressionOf(info));
  if (compression === undefined) {
    throw new UpstreamError(upstream, `compresses a NAR with ${compressionOf(info)}`);
  }
  const limit = new TimeLimit(destination.limits.uploadTimeoutMs, closing);
  const { signal } = limit;
  const failing = new WatchedDownload();
  try {
    const file = failing.watch(download(client, upstream, info.url, signal));
    const nar = within(decompress(file, compression, destination.decoders), narSize);
    const { node } = await ingestNar(nar, destination, {
      // The signature is over hash and size; without one, the name of the path is over its CA.
      expected: {
        narHash,
        narSize,
        contentAddress: certifiesItself(info) ? info.contentAddress : undefined,
      },
      underWay: destination.underWay,
      signal,
    });
    return node;
  } catch (cause) {
    if (failing.failure instanceof UpstreamError) throw failing.failure;
    if (signal.aborted)
      throw new UpstreamError(upstream, "did not send a NAR in time", { cause, passing: true });
    if (isOurs(cause)) throw cause;
    throw new UpstreamError(upstream, `sent what is not the NAR of ${storePath}`, { cause });
  } finally {
    limit.end();
  }
}

/** Tells failures of a download from those of whoever reads it. */
class WatchedDownload {
  failure: unknown;

  async *watch(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* stream;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}

/** Failures of our own storage are none of the upstream. */
function isOurs(error: unknown): boolean {
  return error instanceof Error && error.name === "CastoreError";
}
