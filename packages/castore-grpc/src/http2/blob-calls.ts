import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ByteSource, followedBy, gatherShort, rechunk } from "@tvix/byte-stream";
import { B3Digest, type BlobService, ByteBudget, type MemoryLedger, type Principal } from "@tvix/castore";
import { type ReadBlobRequest, ReadBlobRequestSchema } from "@tvix/protocol/tvix/castore";
import { blobNotFound, SENT_PIECE_BYTES } from "../blob-handlers.ts";
import { blobServiceOf, NAMESPACES } from "../namespace.ts";
import { answerCall, isPlainCall, sendHeaders } from "./answer-call.ts";
import { bodyOf } from "./body.ts";
import {
  blobChunkHead,
  framedBytes,
  onlyBlobData,
  onlyMessage,
  readBlobData,
  readMessages,
} from "./framing.ts";
import { writeParts } from "./write.ts";

/** What the calls need. */
export interface BlobCallOptions {
  readonly blobService: BlobService;
  /** Longest message accepted, in bytes. */
  readonly maxMessageBytes: number;
  /** What messages draw on that have to be put together. Default: whatever they need. */
  readonly memory?: MemoryLedger | undefined;
  /** Who has sent the call, where that is known. */
  readonly principal?: Principal | undefined;
  /** Is told which blob a call is about, once that is known. */
  readonly onDigest?: ((digest: B3Digest) => void) | undefined;
  /** Sees every failure that is not the client's. */
  readonly onError: (error: unknown) => void;
}

/** A call on an HTTP/2 stream; resolves when it has been answered. */
export type BlobCall = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  options: BlobCallOptions,
) => Promise<void>;

/** Longest request to read, in bytes: a digest, and what later versions may add to it. */
const READ_REQUEST_BYTES = 64 << 10;

/** A blob up to this length is put as one piece. */
const GATHERED_BYTES = 64 << 10;

/** What all puts of this process may gather at once: each up to that, and the piece that goes beyond. */
const GATHERING = new ByteBudget(16 << 20);

const CALLS: ReadonlyMap<string, BlobCall> = new Map(
  NAMESPACES.flatMap((namespace) => [
    [`/${blobServiceOf(namespace).typeName}/Read`, call(read)],
    [`/${blobServiceOf(namespace).typeName}/Put`, call(put)],
  ]),
);

/**
 * The two calls that carry the bytes of blobs, framed by hand on the raw HTTP/2 stream: the same
 * on the wire as through Connect's adapter, without what that makes of every message.
 *
 * @returns undefined for every other call, and for protocols and compression that only the
 *   ordinary handlers know
 */
export function findBlobCall(headers: IncomingHttpHeaders): BlobCall | undefined {
  return isPlainCall(headers) ? CALLS.get(headers[":path"] ?? "") : undefined;
}

interface Exchange extends BlobCallOptions {
  readonly stream: ServerHttp2Stream;
  readonly signal: AbortSignal;
  /** The body of the request: framed messages. */
  readonly body: AsyncIterable<Uint8Array>;
}

async function read(exchange: Exchange): Promise<undefined> {
  const { stream, signal, body, blobService, principal, maxMessageBytes } = exchange;
  const limit = Math.min(maxMessageBytes, READ_REQUEST_BYTES);
  const { digest: bytes } = parseRequest(await onlyMessage(readMessages(body, limit)));
  const digest = B3Digest.from(bytes);
  exchange.onDigest?.(digest);
  const blob = await blobService.read(digest, { signal, principal });
  if (blob === undefined) throw blobNotFound(digest);
  for await (const piece of blob) {
    for await (const data of rechunk(piece, 2 * SENT_PIECE_BYTES)) {
      sendHeaders(stream);
      await writeParts(stream, [blobChunkHead(data.length), data], signal);
    }
  }
}

async function put(exchange: Exchange): Promise<Uint8Array> {
  const { signal, blobService, principal, onDigest } = exchange;
  const upload = new Upload(exchange);
  try {
    const digest = await blobService.put(await upload.source(), { signal, principal });
    onDigest?.(digest);
    return framedBytes(digest.bytes);
  } finally {
    upload.end();
  }
}

/** The body of a put, and what it holds while it is read. */
class Upload {
  readonly #exchange: Exchange;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #data: AsyncGenerator<Uint8Array, void, undefined> | undefined;
  #gathering = 0;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#pieces = exchange.body[Symbol.asyncIterator]();
  }

  /** The blob in it: as one piece where it is short, else as it arrives. */
  async source(): Promise<ByteSource> {
    const { maxMessageBytes: maxBytes, memory, signal } = this.#exchange;
    const first = await this.#pieces.next();
    if (first.done === true) return new Uint8Array(0);
    const arrived = [first.value];
    // Nearly every short blob is one message that arrives as a whole, and need not be read in steps.
    const only = onlyBlobData(first.value, maxBytes);
    if (only !== undefined) {
      const second = await this.#pieces.next();
      if (second.done === true) return only;
      arrived.push(second.value);
    }
    this.#data = readBlobData(followedBy(arrived, this.#pieces), { maxBytes, memory, signal });
    // Whoever is not gathered waits for memory before more of it is read.
    if (!GATHERING.tryAcquire(2 * GATHERED_BYTES)) return this.#data;
    this.#gathering = 2 * GATHERED_BYTES;
    return await gatherShort(this.#data, GATHERED_BYTES);
  }

  /** Gives back what it holds, also where nobody has begun to read what was given out. */
  end(): void {
    if (this.#gathering > 0) GATHERING.release(this.#gathering);
    // A generator that was not started does not end what it reads from.
    for (const reader of [this.#data, this.#pieces]) void reader?.return?.(undefined).catch(() => {});
  }
}

function call(run: (exchange: Exchange) => Promise<Uint8Array | undefined>): BlobCall {
  return (stream, headers, options) =>
    answerCall(stream, headers, options.onError, (signal) =>
      run({ ...options, stream, body: bodyOf(stream, signal), signal }),
    );
}

function parseRequest(message: Uint8Array): ReadBlobRequest {
  try {
    return fromBinary(ReadBlobRequestSchema, message);
  } catch (cause) {
    const text = "message is no ReadBlobRequest";
    throw new ConnectError(text, Code.InvalidArgument, undefined, undefined, cause);
  }
}
