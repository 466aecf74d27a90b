import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip, createZstdDecompress } from "node:zlib";
import type { ByteStream } from "@tvix/byte-stream";
import { NarBridgeError } from "../errors.ts";
import { decompressBzip2 } from "./bzip2.ts";
import type { Compression } from "./compression.ts";
import { decompressLzma, decompressXz } from "./lzma.ts";
import { cutAtFrames } from "./zstd-frames.ts";

/** The codec's own pieces: several times faster than its default of 16 KiB. */
const PIECES = { chunkSize: 128 << 10 };

const DECOMPRESS: Readonly<Record<Compression, (source: ByteStream) => ByteStream>> = {
  none: (source) => source,
  zstd: (source) => through(cutAtFrames(source), createZstdDecompress(PIECES)),
  gzip: (source) => through(source, createGunzip(PIECES)),
  br: (source) => through(source, createBrotliDecompress(PIECES)),
  xz: decompressXz,
  bzip2: decompressBzip2,
  lzma: decompressLzma,
};

/**
 * The bytes that were compressed. Memory does not grow with their length, but decoders hold the
 * window that a stream asks for.
 *
 * @throws NarBridgeError INVALID_COMPRESSION when they are not what was said
 */
export async function* decompress(source: ByteStream, compression: Compression): ByteStream {
  const watched = new WatchedSource(source);
  try {
    yield* DECOMPRESS[compression](watched.bytes());
  } catch (cause) {
    // Some decoders replace what their source fails with.
    if (watched.failure !== undefined) throw watched.failure.error;
    if (compression === "none") throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NarBridgeError("INVALID_COMPRESSION", `the body is no ${compression} stream: ${why}`, {
      cause,
    });
  } finally {
    // Not every decoder that fails lets go of its source.
    watched.end();
  }
}

/** What comes out of a transform of Node. */
async function* through(source: ByteStream, transform: Transform): ByteStream {
  const piped = pipeline(Readable.from(source), transform);
  // Whoever reads the transform sees the failure.
  piped.catch(() => {});
  yield* transform as unknown as ByteStream;
  await piped;
}

/** Tells failures of a source from those of whoever reads it, which streams hand back to it. */
class WatchedSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #failure: { readonly error: unknown } | undefined;

  constructor(source: ByteStream) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  async *bytes(): ByteStream {
    const next = async () => {
      try {
        return await this.#iterator.next();
      } catch (error) {
        this.#failure = { error };
        throw error;
      }
    };
    try {
      for (let piece = await next(); piece.done !== true; piece = await next()) yield piece.value;
    } finally {
      await this.#iterator.return?.();
    }
  }

  /** Ends the source without waiting for it: it may itself wait, for somebody who sends nothing. */
  end(): void {
    Promise.resolve(this.#iterator.return?.()).catch(() => {});
  }
}
