import { constants, type ServerHttp2Stream } from "node:http2";
import { closeStream } from "./own-close.ts";
import type { ReadTurns } from "./read-turns.ts";
import { gatherShortPieces } from "./short-pieces.ts";
import type { UnreadBytes } from "./unread-bytes.ts";

/** What is unread is accounted for in steps of so many bytes. */
const STEP_BYTES = 16 << 10;

/** A piece that is less than one part in so many of the memory that it keeps is copied. */
const PART_OF_MEMORY = 8;

/** What a {@link StreamBytes} tells of what comes. */
export interface StreamBytesOptions {
  /** What the unread bytes of all streams draw on. */
  readonly unread: UnreadBytes;
  /** Told of each piece. */
  readonly reads: ReadTurns;
}

/**
 * Counts the bytes of a stream, which Node does only for whole connections: where it hands on what has
 * come, and where it takes what is to go, both parts of the contract of streams.
 *
 * What has come and is not read yet draws on what all streams may have unread, of which clients are told how much they
 * may send ahead; where nothing is left all the same, a stream is reset, which clients of gRPC know as RESOURCE_EXHAUSTED.
 */
export class StreamBytes {
  received = 0;
  sent = 0;
  readonly #unread: UnreadBytes;
  #held = 0;

  constructor(stream: ServerHttp2Stream, { unread, reads }: StreamBytesOptions) {
    this.#unread = unread;
    let mayComeMore = !stream.endAfterHeaders;
    if (mayComeMore) unread.begin();
    const end = () => {
      if (mayComeMore) unread.end();
      mayComeMore = false;
    };
    const { push, _write, _writev } = stream;
    // It may have come together with the head.
    this.received += stream.readableLength;
    if (!this.#hold(this.received)) closeStream(stream, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    stream.push = (piece: Uint8Array | null, encoding?: BufferEncoding) => {
      if (piece === null) end();
      const length = piece?.length ?? 0;
      this.received += length;
      if (this.#hold(stream.readableLength + length)) return push.call(stream, this.#kept(piece), encoding);
      closeStream(stream, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return false;
    };
    // In front of all that: each byte may come on its own.
    if (mayComeMore) gatherShortPieces(stream, () => reads.note(stream.session));
    stream._write = (chunk: Uint8Array, encoding, done) => {
      this.sent += chunk.length;
      _write.call(stream, chunk, encoding, done);
    };
    stream._writev = (chunks, done) => {
      for (const { chunk } of chunks) this.sent += (chunk as Uint8Array).length;
      _writev?.call(stream, chunks, done);
    };
    stream.once("close", () => {
      unread.release(this.#held);
      end();
    });
  }

  /** Holds what is unread, and no more than that. */
  #hold(bytes: number): boolean {
    const needed = STEP_BYTES * Math.ceil(Math.max(0, bytes - this.#unread.freeBytes) / STEP_BYTES);
    if (needed > this.#held && !this.#unread.tryHold(needed - this.#held)) return false;
    if (needed < this.#held) this.#unread.release(this.#held - needed);
    this.#held = needed;
    return true;
  }

  /**
   * A piece as it is kept until it is read: what Node hands on is a view of all that came in one read of the
   * connection, which may be far more than is counted.
   */
  #kept(piece: Uint8Array | null): Uint8Array | null {
    if (piece === null) return piece;
    const { length, buffer } = piece;
    const isWaste = length * PART_OF_MEMORY < buffer.byteLength;
    const isCopied = isWaste || (this.#unread.isTight && length < buffer.byteLength);
    if (!isCopied) return piece;
    const copy = Buffer.allocUnsafeSlow(length);
    copy.set(piece);
    return copy;
  }
}
