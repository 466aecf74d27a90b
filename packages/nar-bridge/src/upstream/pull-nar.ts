import type { ByteStream } from "@tvix/byte-stream";
import { compressionOf, type NarInfo } from "@tvix/narinfo";
import { ingestNar, type KnownNar, type PathInfo } from "@tvix/store";
import { compressionOfName } from "../compression/compression.ts";
import { decompress } from "../compression/decompress.ts";
import { NarBridgeError } from "../errors.ts";
import { within } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";
import { failure, fetchFile } from "./fetch.ts";
import type { Upstream } from "./upstream.ts";

/**
 * Fetches the NAR of a verified narinfo and stores it with its path info.
 *
 * @throws NarBridgeError UPSTREAM_FAILED when it cannot be had, or is not what the narinfo says
 */
export async function pullNar(
  bridge: Bridge,
  upstream: Upstream,
  info: NarInfo,
  closing: AbortSignal,
): Promise<KnownNar> {
  const { narHash, narSize, storePath, references, signatures, deriver, contentAddress } = info;
  const compression = compressionOfName(compressionOf(info));
  if (compression === undefined) throw failure(upstream, `compresses a NAR with ${compressionOf(info)}`);
  if (narSize > bridge.limits.maxNarBytes) throw failure(upstream, `has a NAR of ${narSize} bytes`);
  const stall = new StallWatch(upstream.stallMs);
  const signal = AbortSignal.any([closing, stall.signal, AbortSignal.timeout(bridge.limits.uploadTimeoutMs)]);
  try {
    const file = await fetchFile(upstream, info.url, signal);
    if (file === undefined) throw failure(upstream, "has a narinfo without its NAR");
    const nar = within(decompress(stall.watch(file), compression), narSize);
    const { node } = await ingestNar(nar, bridge, {
      expected: { narHash, narSize },
      underWay: bridge.underWay,
      signal,
    });
    await bridge.narIndex.put({ narHash, narSize, node, lasting: true });
    const pathInfo: PathInfo = {
      storePath,
      node,
      references,
      narSize,
      narHash,
      signatures,
      deriver,
      contentAddress,
    };
    await bridge.pathInfoService.put(pathInfo);
    return { narHash, narSize, node };
  } catch (cause) {
    if (NarBridgeError.is(cause) && cause.code === "UPSTREAM_FAILED") throw cause;
    if (signal.aborted) throw failure(upstream, "did not send a NAR in time", cause);
    throw failure(upstream, `sent what is not the NAR of ${storePath}`, cause);
  } finally {
    stall.end();
  }
}

/** Aborts when nothing has come for a while. */
class StallWatch {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(stallMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new Error("stalled")), stallMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async *watch(stream: ByteStream): ByteStream {
    for await (const piece of stream) {
      this.#timer.refresh();
      yield piece;
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
