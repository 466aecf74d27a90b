import { fromBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { ByteReader, type ByteSource, type ByteStream, tap } from "@tvix/byte-stream";
import {
  B3Digest,
  ByteBudget,
  CastoreError,
  type ChunkExchange,
  type ChunkMeta,
  EMPTY_DIGEST,
  type ExchangingBlobService,
  type OperationOptions,
  type ReadBlobOptions,
} from "@tvix/castore";
import {
  clip,
  digestsSettling,
  placeChunks,
  READ_AHEAD_BYTES,
  readChunks,
  toByteRange,
} from "@tvix/castore/backend";
import { type BlobService as BlobServiceDesc, PutBlobResponseSchema } from "@tvix/protocol/tvix/castore";
import { BatchedBlobs, isBatched } from "./batch/client.ts";
import { SENT_PIECE_BYTES } from "./blob-handlers.ts";
import { GrpcChunkExchange } from "./chunk-exchange.ts";
import { copied } from "./copied.ts";
import { leavingEarly } from "./leave-early.ts";
import { blobServiceOf, type Namespace, NamespaceChoice, NO_DIGEST } from "./namespace.ts";
import { parseChunkList } from "./parse-chunk-list.ts";
import { fromConnectError } from "./status.ts";
import { readUpTo, verifyByChunks, verifyWhole } from "./verified-stream.ts";
import { takesWholeBlobs, type WholeBlobTransport } from "./whole-blob-transport.ts";

/** Longest blob that is held in memory to be verified before its first byte is passed on. */
const HELD_BYTES = 1 << 20;

/** How a client talks to its peer. */
export interface GrpcClientOptions {
  /**
   * Names under which the peer serves; this project's server knows both. Default `auto`: found out
   * with one call more.
   */
  readonly namespace?: Namespace | "auto";
  /** Longest directory that is sent, in bytes: what the transport and the peer take. Default 32 MiB. */
  readonly maxDirectoryBytes?: number;
}

/**
 * Blobs of a peer, by gRPC, gRPC-Web or Connect: whatever the transport speaks.
 *
 * The peer is not trusted. What it sends is compared with the digest: blobs up to 1 MiB
 * before the first byte is passed on; longer ones chunk by chunk, and the whole before the
 * last chunk. Where a peer lists no chunks, a longer blob is compared at its end: damage is
 * reported, but after bytes were passed on. For a part of a blob the peer's list is believed.
 */
export class GrpcBlobService implements ExchangingBlobService {
  readonly chunkExchange: ChunkExchange;
  readonly #transport: Transport;
  readonly #peer: NamespaceChoice<Client<typeof BlobServiceDesc>>;
  readonly #batched: BatchedBlobs;
  readonly #readAhead = new ByteBudget(READ_AHEAD_BYTES);

  constructor(transport: Transport, { namespace = "auto" }: GrpcClientOptions = {}) {
    this.#transport = transport;
    this.chunkExchange = new GrpcChunkExchange(transport);
    this.#batched = new BatchedBlobs(transport, this.chunkExchange);
    const clients = {
      tvix: createClient(blobServiceOf("tvix"), transport),
      snix: createClient(blobServiceOf("snix"), transport),
    };
    this.#peer = new NamespaceChoice(namespace, clients, (client) => client.stat({ digest: NO_DIGEST }));
  }

  async has(digest: B3Digest, options: OperationOptions = {}): Promise<boolean> {
    const alone = async () => (await this.chunks(digest, options)) !== undefined;
    return await this.#batched.has(digest, alone, options.signal);
  }

  async chunks(
    digest: B3Digest,
    { signal }: OperationOptions = {},
  ): Promise<readonly ChunkMeta[] | undefined> {
    return await calling(`stat of blob ${digest}`, signal, async () => {
      const client = await this.#peer.client(signal);
      const response = await client.stat({ digest: digest.bytes, sendChunks: true }, callOptions(signal));
      return parseChunkList(response.chunks);
    });
  }

  async read(digest: B3Digest, options: ReadBlobOptions = {}): Promise<ByteStream | undefined> {
    const range = toByteRange(options);
    const { signal, sizeHint } = options;
    if (range.start > 0 || range.end !== Number.POSITIVE_INFINITY) {
      return await this.#readRange(digest, options);
    }
    if (digest.equals(EMPTY_DIGEST)) return onePiece(digest.bytes.subarray(0, 0));
    if (!isBatched(sizeHint)) return await this.#readAll(digest, options);
    const found = await this.#batched.read(digest, sizeHint, () => this.#readAll(digest, options), signal);
    return found instanceof Uint8Array ? onePiece(found) : found;
  }

  async #readAll(digest: B3Digest, options: OperationOptions): Promise<ByteStream | undefined> {
    const { signal } = options;
    return await calling(`read of blob ${digest}`, signal, async () => {
      const reader = new ByteReader(this.#stream(digest, signal));
      const head = await readUpTo(reader, HELD_BYTES + 1);
      if (head.length <= HELD_BYTES) return verifyWhole(digest, head, reader);
      const chunks = await this.chunks(digest, options);
      return verifyByChunks(digest, head, reader, chunks ?? []);
    });
  }

  async put(source: ByteSource, { signal }: OperationOptions = {}): Promise<B3Digest> {
    if (!(source instanceof Uint8Array) || !isBatched(source.length))
      return await this.#putAlone(source, signal);
    signal?.throwIfAborted();
    return await this.#batched.put(source, () => this.#putAlone(source, signal), signal);
  }

  async #putAlone(source: ByteSource, signal: AbortSignal | undefined): Promise<B3Digest> {
    const transport = this.#transport;
    if (source instanceof Uint8Array && source.length <= SENT_PIECE_BYTES && takesWholeBlobs(transport)) {
      return await this.#putWhole(source, transport, signal);
    }
    await digestsSettling();
    const hasher = B3Digest.createHasher();
    const pieces = tap(copied(source, SENT_PIECE_BYTES), (piece) => hasher.update(piece));
    let sourceFailure: { error: unknown } | undefined;
    async function* messages() {
      try {
        for await (const data of pieces) yield { data };
      } catch (error) {
        sourceFailure = { error };
        throw error;
      }
    }
    const received = await calling("put of a blob", signal, async () => {
      try {
        const client = await this.#peer.client(signal);
        return (await client.put(messages(), callOptions(signal))).digest;
      } catch (error) {
        throw sourceFailure === undefined ? error : new SourceFailure(sourceFailure.error);
      }
    });
    return checkedDigest(received, B3Digest.finish(hasher));
  }

  async #putWhole(
    bytes: Uint8Array,
    transport: WholeBlobTransport,
    signal: AbortSignal | undefined,
  ): Promise<B3Digest> {
    const expected = B3Digest.of(bytes);
    const response = await calling("put of a blob", signal, async () => {
      const { typeName, method } = blobServiceOf(await this.#peer.namespace(signal));
      return await transport.putWholeBlob(`/${typeName}/${method.put.name}`, bytes, signal);
    });
    const received = response === undefined ? undefined : fromBinary(PutBlobResponseSchema, response).digest;
    return checkedDigest(received, expected);
  }

  /** A part: the chunks it touches, each by its own digest; the whole where there is no list. */
  async #readRange(digest: B3Digest, options: ReadBlobOptions): Promise<ByteStream | undefined> {
    const range = toByteRange(options);
    const chunks = await this.chunks(digest, options);
    if (chunks === undefined) return undefined;
    if (chunks.length === 0) {
      const whole = await this.read(digest, { signal: options.signal });
      return whole === undefined ? undefined : clipped(whole, range);
    }
    const source = { read: async (chunk: B3Digest) => await this.#readChunk(chunk, options.signal) };
    return readChunks(source, placeChunks(chunks, range.start), range, {
      signal: options.signal,
      budget: this.#readAhead,
    });
  }

  async #readChunk(digest: B3Digest, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    return await calling(`read of chunk ${digest}`, signal, async () => {
      const reader = new ByteReader(this.#stream(digest, signal));
      const bytes = await readUpTo(reader, CHUNK_MAX_BYTES);
      await reader.close();
      const found = B3Digest.of(bytes);
      if (found.equals(digest)) return bytes;
      throw new CastoreError("CORRUPT", `peer sent chunk ${found} for ${digest}`);
    });
  }

  async *#stream(digest: B3Digest, signal: AbortSignal | undefined): ByteStream {
    let passedOn = 0;
    for (;;) {
      const before = passedOn;
      try {
        let position = 0;
        for await (const data of this.#streamOnce(digest, signal)) {
          const fresh = data.subarray(Math.max(0, passedOn - position));
          position += data.length;
          if (fresh.length === 0) continue;
          passedOn += fresh.length;
          yield fresh;
        }
        return;
      } catch (error) {
        if (error instanceof ConnectError && error.code === Code.NotFound) throw error;
        // The connection broke in the middle: the rest of a blob is the same another time.
        const isLost = error instanceof ConnectError && error.code === Code.Unavailable;
        if (!isLost || passedOn === before) throw fromConnectError(error, `read of blob ${digest}`, signal);
        signal?.throwIfAborted();
      }
    }
  }

  async *#streamOnce(digest: B3Digest, signal: AbortSignal | undefined): ByteStream {
    const request = { digest: digest.bytes };
    const client = await this.#peer.client(signal);
    const messages = leavingEarly((callSignal) => client.read(request, { signal: callSignal }), signal);
    for await (const { data } of messages) yield data;
  }
}

/** What a peer says that it stored, when it is what we sent. */
function checkedDigest(received: Uint8Array | undefined, expected: B3Digest): B3Digest {
  const found = B3Digest.from(received ?? new Uint8Array(0), "digest in the response");
  if (found.equals(expected)) return expected;
  throw new CastoreError("INVALID_RESPONSE", `peer stored blob ${expected} as ${found}`);
}

/** Longest chunk accepted from a peer: the largest of tvix's chunking. */
const CHUNK_MAX_BYTES = 16 << 20;

/** A failure of what the caller gave us, to be told apart from failures of the call. */
class SourceFailure {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** Runs a call; NOT_FOUND becomes undefined, every other failure an error of this package. */
async function calling<T>(
  what: string,
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T | undefined> {
  signal?.throwIfAborted();
  try {
    return await call();
  } catch (error) {
    if (error instanceof SourceFailure) throw error.error;
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw fromConnectError(error, what, signal);
  }
}

function callOptions(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** What is read behind the end of a range, in bytes. */
const READ_BEYOND_BYTES = 1 << 20;

const NOTHING = new Uint8Array(0);

async function* onePiece(bytes: Uint8Array): ByteStream {
  if (bytes.length > 0) yield bytes;
}

async function* clipped(stream: ByteStream, range: ReturnType<typeof toByteRange>): ByteStream {
  let offset = 0;
  for await (const piece of stream) {
    // Little is read to its end: a call that is left early is reset, and servers allow so many resets only.
    if (offset >= range.end + READ_BEYOND_BYTES) return;
    const part = offset >= range.end ? NOTHING : clip(piece, offset, range);
    offset += piece.length;
    if (part.length > 0) yield part;
  }
}
