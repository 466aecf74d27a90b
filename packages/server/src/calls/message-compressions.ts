import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";
import { createBrotliDecompress, createGunzip } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { ByteBudget } from "@tvix/castore";
import { unlessAborted } from "@tvix/castore/backend";
import { BinaryFieldCounter, JsonFieldCounter } from "./field-counter.ts";
import { parsedBeyond } from "./parsed-memory.ts";

/** In what pieces a message is decompressed, in bytes. */
const PIECE_BYTES = 64 << 10;

/** What is put together of them before others are looked at, in bytes. */
const STEP_BYTES = 1 << 20;

/**
 * Whose turn it is: beyond the first step of a message, one step of one message is decompressed after the other, because several
 * at once take every processor there is.
 */
const TURN = new ByteBudget(1);

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

/** The signal of the call whose messages are decompressed: {@link Compression} is not told of it. */
export const callSignal: AsyncLocalStorage<AbortSignal> = new AsyncLocalStorage();

type CreateDecoder = typeof createGunzip | typeof createBrotliDecompress;

function decompressedInPieces(compression: Compression, create: CreateDecoder): Compression {
  return {
    ...compression,
    /** @throws ConnectError INVALID_ARGUMENT for what is not, or not whole, what its compression makes; RESOURCE_EXHAUSTED */
    async decompress(bytes, readMaxBytes) {
      if (bytes.length === 0) return new Uint8Array(0);
      const pieces: Uint8Array[] = [];
      const fields = new Fields();
      const signal = callSignal.getStore();
      let length = 0;
      let nextStep = STEP_BYTES;
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
          if (length < nextStep) continue;
          nextStep += STEP_BYTES;
          if (hasTurn) TURN.release(1);
          hasTurn = false;
          await takeTurn(signal);
          hasTurn = true;
        }
        return await joined(pieces, length);
      } catch (cause) {
        if (cause instanceof ConnectError || signal?.aborted === true) throw cause;
        const why = cause instanceof Error ? cause.message : String(cause);
        const text = `a message cannot be decompressed with ${compression.name}: ${why}`;
        throw new ConnectError(text, Code.InvalidArgument, undefined, undefined, cause);
      } finally {
        if (hasTurn) TURN.release(1);
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

/** @throws the reason of the signal, at once; the turn goes to the next one */
async function takeTurn(signal: AbortSignal | undefined): Promise<void> {
  const turn = TURN.acquire(1);
  try {
    await unlessAborted(turn, signal);
  } catch (error) {
    void turn.then(() => TURN.release(1));
    throw error;
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
