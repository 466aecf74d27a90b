import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  B3Digest,
  CastoreError,
  type ChunkExchange,
  type ChunkMeta,
  type OperationOptions,
} from "@tvix/castore";
import { ChunkExchangeService } from "@tvix/protocol/exchange";
import { fromConnectError } from "./status.ts";

/** Chunks that one message names: some 40 KB. */
const CHUNKS_PER_MESSAGE = 1000;

/**
 * The {@link ChunkExchange} of a peer. Those of tvix and snix have none, and get their blobs as a whole:
 * that is found out with the first question, and remembered.
 */
export class GrpcChunkExchange implements ChunkExchange {
  readonly #client: Client<typeof ChunkExchangeService>;
  #isThere = true;

  constructor(transport: Transport) {
    this.#client = createClient(ChunkExchangeService, transport);
  }

  async findMissing(
    digests: readonly B3Digest[],
    { signal }: OperationOptions = {},
  ): Promise<readonly B3Digest[] | undefined> {
    return await this.#asking("look-up of blobs", signal, async () => {
      const distinct = new Map(digests.map((digest) => [digest.key, digest]));
      const request = { digests: Array.from(distinct.values(), ({ bytes }) => bytes) };
      const { digests: missing } = await this.#client.findMissing(request, callOptions(signal));
      return amongAsked(distinct, missing);
    });
  }

  async assemble(
    digest: B3Digest,
    chunks: readonly ChunkMeta[],
    { signal }: OperationOptions = {},
  ): Promise<boolean> {
    const answer = await this.#asking(`assembly of blob ${digest}`, signal, async () => {
      const { assembled } = await this.#client.assemble(requestsOf(digest, chunks), callOptions(signal));
      return assembled;
    });
    return answer ?? false;
  }

  /** What the peer answers; undefined where it knows no such service. */
  async #asking<T>(
    what: string,
    signal: AbortSignal | undefined,
    call: () => Promise<T>,
  ): Promise<T | undefined> {
    signal?.throwIfAborted();
    if (!this.#isThere) return undefined;
    try {
      return await call();
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.Unimplemented) {
        this.#isThere = false;
        return undefined;
      }
      throw fromConnectError(error, what, signal);
    }
  }
}

/** What a peer says is missing. It is sent that, so it may name nothing else than it was asked for. */
function amongAsked(asked: ReadonlyMap<string, B3Digest>, named: readonly Uint8Array[]): readonly B3Digest[] {
  const left = new Map(asked);
  return named.map((bytes, index) => {
    const { key } = B3Digest.from(bytes, `digests[${index}]`);
    const digest = left.get(key);
    if (digest === undefined) {
      throw new CastoreError("INVALID_RESPONSE", `digests[${index}] of the answer was not asked for`);
    }
    left.delete(key);
    return digest;
  });
}

async function* requestsOf(digest: B3Digest, chunks: readonly ChunkMeta[]) {
  for (let start = 0; start === 0 || start < chunks.length; start += CHUNKS_PER_MESSAGE) {
    const next = chunks.slice(start, start + CHUNKS_PER_MESSAGE);
    yield {
      digest: start === 0 ? digest.bytes : new Uint8Array(0),
      chunks: next.map((chunk) => ({ digest: chunk.digest.bytes, size: BigInt(chunk.size) })),
    };
  }
}

function callOptions(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
