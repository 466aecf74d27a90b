import { createRequire } from "node:module";
import { Readable } from "node:stream";
import type { ByteStream } from "@tvix/byte-stream";

/** Level 0: the NAR is compressed while somebody waits for it. */
const FASTEST = { preset: 0 };

const { resolve } = createRequire(import.meta.url);

/** Version of the compressor, which its package does not export. */
export const LZMA_VERSION: string = (
  createRequire(resolve("@napi-rs/lzma"))("./package.json") as { version: string }
).version;

/**
 * An xz stream, made while it is read.
 *
 * @param preset from 0, which is fast, to 9, which is small
 */
export async function* compressXz(source: ByteStream, preset: number = FASTEST.preset): ByteStream {
  const { xz } = await codec();
  yield* bytesOf(xz.compressStream(streamOf(source), { preset }));
}

/** What an xz stream holds; fails with what the decoder says of one that is none. */
export async function* decompressXz(source: ByteStream): ByteStream {
  const { xz } = await codec();
  yield* bytesOf(xz.decompressStream(streamOf(source)));
}

/** A stream of the older format `.lzma`, made while it is read. */
export async function* compressLzma(source: ByteStream): ByteStream {
  const { lzma } = await codec();
  yield* bytesOf(lzma.compressStream(streamOf(source), FASTEST));
}

/** What a `.lzma` stream holds; fails with what the decoder says of one that is none. */
export async function* decompressLzma(source: ByteStream): ByteStream {
  const { lzma } = await codec();
  yield* bytesOf(lzma.decompressStream(streamOf(source)));
}

/** Loaded when it is first needed: it is native code, which not every version of Node can load. */
async function codec(): Promise<Codec> {
  return await import("@napi-rs/lzma");
}

type Codec = typeof import("@napi-rs/lzma");

/** The codec's type of stream: Node's, or the browser's where a program's types include the DOM. */
type CodecStream = Parameters<Codec["xz"]["compressStream"]>[0];

function streamOf(source: ByteStream): CodecStream {
  return Readable.toWeb(Readable.from(source, { objectMode: false })) as unknown as CodecStream;
}

function bytesOf(stream: ReturnType<Codec["xz"]["compressStream"]>): ByteStream {
  return stream as unknown as ByteStream;
}
