import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip, createZstdDecompress } from "node:zlib";
import type { ByteStream } from "@tvix/byte-stream";
import { NarBridgeError } from "../errors.ts";
import { decompressBzip2 } from "./bzip2.ts";
import type { Compression } from "./compression.ts";
import { type DecoderLimits, DecoderMemory } from "./decoder-memory.ts";
import { decompressLzma, decompressXz } from "./lzma.ts";
import { watchLzmaHead } from "./lzma-head.ts";
import { watchXzBlocks } from "./xz-blocks.ts";
import { cutAtFrames } from "./zstd-frames.ts";

/** The codec's own pieces: several times faster than its default of 16 KiB. */
const PIECES = { chunkSize: 128 << 10 };

/** Told before a decoder takes memory for a window of so many bytes. */
type OnWindow = (bytes: number) => Promise<void>;

/** What decoders hold whose streams do not say how much: the most that the format has. */
const GZIP_WINDOW_BYTES = 32 << 10;
const BROTLI_WINDOW_BYTES = 16 << 20;
const BZIP2_BYTES = 8 << 20;

const DECOMPRESS: Readonly<Record<Compression, (source: ByteStream, onWindow: OnWindow) => ByteStream>> = {
  none: (source) => source,
  zstd: (source, onWindow) => through(cutAtFrames(source, onWindow), createZstdDecompress(PIECES)),
  gzip: (source, onWindow) => through(afterwards(onWindow(GZIP_WINDOW_BYTES), source), createGunzip(PIECES)),
  br: (source, onWindow) =>
    through(afterwards(onWindow(BROTLI_WINDOW_BYTES), source), createBrotliDecompress(PIECES)),
  xz: (source, onWindow) => decompressXz(watchXzBlocks(source, onWindow)),
  bzip2: (source, onWindow) => decompressBzip2(afterwards(onWindow(BZIP2_BYTES), source)),
  lzma: (source, onWindow) => decompressLzma(watchLzmaHead(source, onWindow)),
};

/**
 * The bytes that were compressed. Memory does not grow with their length, but decoders hold the
 * window that a stream asks for: they begin when there is memory for it.
 *
 * @throws NarBridgeError INVALID_COMPRESSION when they are not what was said, TOO_LARGE for a window
 *   that is not given; CastoreError TOO_BUSY when there is no memory for a while
 */
export async function* decompress(
  source: ByteStream,
  compression: Compression,
  limits: DecoderLimits,
): ByteStream {
  if (compression === "none") {
    yield* source;
    return;
  }
  const watched = new WatchedSource(source);
  const memory = new DecoderMemory(compression, limits);
  let refusal: { readonly error: unknown } | undefined;
  const onWindow = async (bytes: number) => {
    try {
      await memory.need(bytes);
    } catch (error) {
      refusal = { error };
      throw error;
    }
  };
  try {
    yield* DECOMPRESS[compression](watched.bytes(), onWindow);
  } catch (cause) {
    if (refusal !== undefined) throw refusal.error;
    // Some decoders replace what their source fails with.
    if (watched.failure !== undefined) throw watched.failure.error;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NarBridgeError("INVALID_COMPRESSION", `the body is no ${compression} stream: ${why}`, {
      cause,
    });
  } finally {
    // Not every decoder that fails lets go of its source.
    watched.end();
    memory.release();
  }
}

/** The same bytes when something has come to pass. */
async function* afterwards(ready: Promise<void>, source: ByteStream): ByteStream {
  await ready;
  yield* source;
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
