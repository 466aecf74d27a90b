import { Readable } from "node:stream";
import { xz } from "@napi-rs/lzma";
import type { ByteStream } from "@tvix/byte-stream";

/** Level 0 of xz: the NAR is compressed while somebody waits for it. */
const FASTEST = { preset: 0 };

/** An xz stream, made while it is read. */
export function compressXz(source: ByteStream): ByteStream {
  return bytesOf(xz.compressStream(streamOf(source), FASTEST));
}

/** What an xz stream holds; fails with what the decoder says of one that is none. */
export function decompressXz(source: ByteStream): ByteStream {
  return bytesOf(xz.decompressStream(streamOf(source)));
}

/** The codec's type of stream: Node's, or the browser's where a program's types include the DOM. */
type XzStream = Parameters<typeof xz.compressStream>[0];

function streamOf(source: ByteStream): XzStream {
  return Readable.toWeb(Readable.from(source, { objectMode: false })) as unknown as XzStream;
}

function bytesOf(stream: ReturnType<typeof xz.compressStream>): ByteStream {
  return stream as unknown as ByteStream;
}
