import { type ByteStream, collect, limitBytes, StreamTooLongError } from "@tvix/byte-stream";
import type { FastifyRequest } from "fastify";
import { compressionOfEncoding } from "../compression/compression.ts";
import type { DecoderLimits } from "../compression/decoder-memory.ts";
import { decompress } from "../compression/decompress.ts";
import { NarBridgeError } from "../errors.ts";

/** How much of a body is taken, and how long it may take. */
export interface BodyLimits {
  /** Most bytes that are sent. */
  readonly maxBytes: number;
  /** Most bytes after decompression. Default: `maxBytes`. */
  readonly maxDecodedBytes?: number;
  /** What a Content-Encoding may take. */
  readonly decoders: DecoderLimits;
  /** Time without a byte coming in after which the client is taken for gone, in milliseconds. */
  readonly stallMs: number;
  /** Time for all of it, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * The body of a request, without its Content-Encoding.
 *
 * @throws NarBridgeError TOO_LARGE (at once where Content-Length says so), TIMED_OUT,
 *   INVALID_COMPRESSION, INVALID_REQUEST when it ends early
 */
export async function* requestBody(request: FastifyRequest, limits: BodyLimits): ByteStream {
  const { maxBytes, maxDecodedBytes = maxBytes, decoders } = limits;
  const encoding = request.headers["content-encoding"];
  const compression = compressionOfEncoding(encoding);
  if (compression === undefined) {
    throw new NarBridgeError(
      "INVALID_COMPRESSION",
      `Content-Encoding ${JSON.stringify(encoding)} is not known`,
    );
  }
  if (request.headers["content-range"] !== undefined) {
    throw new NarBridgeError("INVALID_REQUEST", "Content-Range: a part of a file cannot be put");
  }
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const sent = within(received(request, limits), maxBytes);
  yield* compression === "none" ? sent : within(decompress(sent, compression, decoders), maxDecodedBytes);
}

/** A short body as text. @throws also INVALID_REQUEST when it is not UTF-8 */
export async function requestText(request: FastifyRequest, limits: BodyLimits): Promise<string> {
  const bytes = await collect(requestBody(request, limits), limits.maxBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new NarBridgeError("INVALID_REQUEST", "the body is not UTF-8", { cause });
  }
}

/** The same bytes as long as there are not more than so many. @throws NarBridgeError TOO_LARGE */
export async function* within(stream: ByteStream, maxBytes: number): ByteStream {
  try {
    yield* limitBytes(stream, maxBytes);
  } catch (error) {
    throw error instanceof StreamTooLongError ? tooLarge(maxBytes) : error;
  }
}

/**
 * What arrives, as long as something does. Leaving it early leaves the connection as it is, so
 * that the answer can still be read.
 */
async function* received({ raw }: FastifyRequest, { stallMs, timeoutMs }: BodyLimits): ByteStream {
  const pieces: AsyncIterator<Uint8Array> = raw.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  // Ends the wait for the piece that is awaited. Racing each against one promise would be
  // shorter, but that promise would keep every piece until the body has ended.
  let giveUp: ((why: NarBridgeError) => void) | undefined;
  let late: NarBridgeError | undefined;
  const total = setTimeout(() => {
    late = new NarBridgeError("TIMED_OUT", `the body took longer than ${timeoutMs / 1000} s`);
    giveUp?.(late);
  }, timeoutMs).unref();
  // Only the time that we wait for the client counts.
  const stall = setTimeout(() => {
    giveUp?.(new NarBridgeError("TIMED_OUT", `nothing arrived for ${stallMs / 1000} s`));
  }, stallMs).unref();
  try {
    for (;;) {
      if (late !== undefined) throw late;
      stall.refresh();
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject;
        pieces.next().then(resolve, reject);
      });
      giveUp = undefined;
      if (next.done === true) return;
      yield next.value;
    }
  } catch (cause) {
    if (NarBridgeError.is(cause)) throw cause;
    throw new NarBridgeError("INVALID_REQUEST", "the body ended early", { cause });
  } finally {
    clearTimeout(total);
    clearTimeout(stall);
    // Lets go of the request; where a piece is still awaited, when it has come.
    void pieces.return?.();
  }
}

function tooLarge(maxBytes: number): NarBridgeError {
  return new NarBridgeError("TOO_LARGE", `the body has more than ${maxBytes} bytes`);
}
