import { setImmediate } from "node:timers/promises";
import { createBrotliDecompress, createGunzip } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { ByteBudget } from "@tvix/castore";
import { BinaryFieldCounter, JsonFieldCounter } from "./field-counter.ts";
import { parsedBeyond } from "./parsed-memory.ts";

/** In what pieces a message is decompressed, in bytes. */
const PIECE_BYTES = 64 << 10;

/** What is put together of them before others are looked at, in bytes. */
const STEP_BYTES = 1 << 20;

/** Whose turn it is: what goes beyond a step is decompressed one message after the other, because several take every processor there is. */
const IN_TURN = new ByteBudget(1);

/** What a message that was compressed may take when it is parsed, beyond what is taken for granted, in bytes. */
const MOST_BEYOND = 16 << 20;

/** `{` or `[`, with which a message begins that is JSON. */
const JSON_BEGINS: ReadonlySet<number | undefined> = new Set([0x7b, 0x5b]);

/**
 * How messages may be compressed. A few kilobytes may stand for the longest message there may be, so that one is
 * decompressed, looked at and put together in pieces, between which others have their turn.
 */
export const MESSAGE_COMPRESSIONS: readonly Compression[] = [
  decompressedInPieces(compressionGzip, createGunzip),
  decompressedInPieces(compressionBrotli, createBrotliDecompress),
];

type CreateDecoder = typeof createGunzip | typeof createBrotliDecompress;

function decompressedInPieces(compression: Compression, create: CreateDecoder): Compression {
  return {
    ...compression,
    /** @throws ConnectError INVALID_ARGUMENT for what is not, or not whole, what its compression makes; RESOURCE_EXHAUSTED */
    async decompress(bytes, readMaxBytes) {
      if (bytes.length === 0) return new Uint8Array(0);
      const pieces: Uint8Array[] = [];
      const fields = new Fields();
      let length = 0;
      let hasTurn = false;
      try {
        const decoder = create({ chunkSize: PIECE_BYTES });
        decoder.end(bytes);
        for await (const piece of decoder as AsyncIterable<Uint8Array>) {
          length += piece.length;
          if (length > readMaxBytes) {
            const text = `a message of more than ${readMaxBytes} bytes, decompressed, is too long`;
            throw new ConnectError(text, Code.ResourceExhausted);
          }
          fields.see(piece);
          pieces.push(piece);
          if (hasTurn || length <= STEP_BYTES) continue;
          await IN_TURN.acquire(1);
          hasTurn = true;
        }
        return await joined(pieces, length);
      } catch (cause) {
        if (cause instanceof ConnectError) throw cause;
        const why = cause instanceof Error ? cause.message : String(cause);
        const text = `a message cannot be decompressed with ${compression.name}: ${why}`;
        throw new ConnectError(text, Code.InvalidArgument, undefined, undefined, cause);
      } finally {
        if (hasTurn) IN_TURN.release(1);
      }
    },
  };
}

/**
 * Counts what a message consists of before it is parsed. Others are accounted for as they come; of these nobody
 * knows it until they are decompressed, and then there is no waiting for memory.
 */
class Fields {
  readonly #counters: (BinaryFieldCounter | JsonFieldCounter)[] = [new BinaryFieldCounter(undefined)];
  #length = 0;

  /** @throws ConnectError RESOURCE_EXHAUSTED for a message that is hardly anything but fields */
  see(piece: Uint8Array): void {
    if (this.#length === 0 && JSON_BEGINS.has(piece[0])) this.#counters.push(new JsonFieldCounter());
    this.#length += piece.length;
    for (const counter of this.#counters) {
      counter.see(piece);
      if (parsedBeyond(counter, this.#length) <= MOST_BEYOND) continue;
      const text = `a compressed message of ${counter.fields} fields in ${this.#length} bytes is too much`;
      throw new ConnectError(text, Code.ResourceExhausted);
    }
  }
}

async function joined(pieces: readonly Uint8Array[], length: number): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(length);
  let at = 0;
  let next = STEP_BYTES;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
    if (at < next) continue;
    next += STEP_BYTES;
    await setImmediate();
  }
  return whole;
}
