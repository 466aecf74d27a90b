import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { lzma, xz } from "@napi-rs/lzma";
import type { ByteStream } from "@tvix/byte-stream";

/** Level 0: the NAR is compressed while somebody waits for it. */
const FASTEST = { preset: 0 };

const { resolve } = createRequire(import.meta.url);

/** Version of the compressor, which its package does not export. */
export const LZMA_VERSION: string = (
  createRequire(resolve("@napi-rs/lzma"))("./package.json") as { version: string }
).version;

/** An xz stream, made while it is read. */
export function compressXz(source: ByteStream): ByteStream {
  return bytesOf(xz.compressStream(streamOf(source), FASTEST));
}

/** What an xz stream holds; fails with what the decoder says of one that is none. */
export function decompressXz(source: ByteStream): ByteStream {
  return bytesOf(xz.decompressStream(streamOf(source)));
}

/** A stream of the older format `.lzma`, made while it is read. */
export function compressLzma(source: ByteStream): ByteStream {
  return bytesOf(lzma.compressStream(streamOf(source), FASTEST));
}

/** What a `.lzma` stream holds; fails with what the decoder says of one that is none. */
export function decompressLzma(source: ByteStream): ByteStream {
  return bytesOf(lzma.decompressStream(streamOf(source)));
}

/** The codec's type of stream: Node's, or the browser's where a program's types include the DOM. */
type CodecStream = Parameters<typeof xz.compressStream>[0];

function streamOf(source: ByteStream): CodecStream {
  return Readable.toWeb(Readable.from(source, { objectMode: false })) as unknown as CodecStream;
}

function bytesOf(stream: ReturnType<typeof xz.compressStream>): ByteStream {
  return stream as unknown as ByteStream;
}
