import { constants, type ServerHttp2Stream } from "node:http2";
import type { ByteBudget } from "@tvix/castore";

/** What a stream may have unread without being accounted for, and by what it grows from there, in bytes. */
const FREE_BYTES = 16 << 10;
const STEP_BYTES = 64 << 10;

/**
 * Counts the bytes of a stream, which Node does only for whole connections: where it hands on what has
 * come, and where it takes what is to go, both parts of the contract of streams.
 *
 * What has come and is not read yet draws on a budget of all streams. Flow control bounds it for each of
 * them, but not for thousands; where nothing is left, a stream is reset, which clients of gRPC know as
 * RESOURCE_EXHAUSTED.
 */
export class StreamBytes {
  received = 0;
  sent = 0;
  #held = 0;

  /** @param unread what the unread bytes of all streams draw on */
  constructor(stream: ServerHttp2Stream, unread: ByteBudget) {
    const { push, _write, _writev } = stream;
    // It may have come together with the head.
    this.received += stream.readableLength;
    if (!this.#hold(this.received, unread)) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    stream.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
      const length = chunk?.length ?? 0;
      this.received += length;
      if (this.#hold(stream.readableLength + length, unread)) return push.call(stream, chunk, encoding);
      stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return false;
    };
    stream._write = (chunk: Uint8Array, encoding, done) => {
      this.sent += chunk.length;
      _write.call(stream, chunk, encoding, done);
    };
    stream._writev = (chunks, done) => {
      for (const { chunk } of chunks) this.sent += (chunk as Uint8Array).length;
      _writev?.call(stream, chunks, done);
    };
    stream.once("close", () => {
      if (this.#held > 0) unread.release(this.#held);
    });
  }

  /** Holds what is unread beyond what is free; what is held once stays until the end. */
  #hold(bytes: number, unread: ByteBudget): boolean {
    const missing = bytes - FREE_BYTES - this.#held;
    if (missing <= 0) return true;
    const step = Math.ceil(missing / STEP_BYTES) * STEP_BYTES;
    if (!unread.tryAcquire(step)) return false;
    this.#held += step;
    return true;
  }
}
