import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  B3Digest,
  CastoreError,
  type Directory,
  type DirectoryMessage,
  type DirectoryService,
  type DirectorySource,
  type OperationOptions,
  parseDirectory,
} from "@tvix/castore";
import {
  ClosureValidator,
  checkDirectoryBytes,
  DEFAULT_MAX_DIRECTORY_BYTES,
  formatEntries,
} from "@tvix/castore/backend";
import type { DirectoryService as DirectoryServiceDesc } from "@tvix/protocol/tvix/castore";
import { BatchedDirectories } from "./batch/client.ts";
import type { GrpcClientOptions } from "./blob-service.ts";
import { leavingEarly } from "./leave-early.ts";
import { directoryServiceOf, NamespaceChoice, NO_DIGEST } from "./namespace.ts";
import { fromConnectError } from "./status.ts";

/**
 * Directories of a peer, by gRPC, gRPC-Web or Connect. The peer is not trusted: each
 * directory is compared with its digest, and a tree must be complete.
 */
export class GrpcDirectoryService implements DirectoryService {
  readonly #peer: NamespaceChoice<Client<typeof DirectoryServiceDesc>>;
  readonly #batched: BatchedDirectories;

  readonly maxDirectoryBytes: number;

  constructor(transport: Transport, options: GrpcClientOptions = {}) {
    const { namespace = "auto", maxDirectoryBytes = DEFAULT_MAX_DIRECTORY_BYTES } = options;
    this.maxDirectoryBytes = maxDirectoryBytes;
    this.#batched = new BatchedDirectories(transport);
    const clients = {
      tvix: createClient(directoryServiceOf("tvix"), transport),
      snix: createClient(directoryServiceOf("snix"), transport),
    };
    const byWhat = { case: "digest" as const, value: NO_DIGEST };
    this.#peer = new NamespaceChoice(namespace, clients, (client) => Array.fromAsync(client.get({ byWhat })));
  }

  async get(digest: B3Digest, { signal }: OperationOptions = {}): Promise<Directory | undefined> {
    signal?.throwIfAborted();
    return await this.#batched.get(digest, () => this.#getAlone(digest, signal), signal);
  }

  async #getAlone(digest: B3Digest, signal: AbortSignal | undefined): Promise<Directory | undefined> {
    let found: Directory | undefined;
    try {
      // Read to its end: one that is left early is reset, and servers allow so many resets only.
      for await (const message of this.#request(digest, false, signal)) {
        const directory = parseResponse(message);
        if (found !== undefined || !directory.digest().equals(digest)) throw unexpected(directory);
        found = directory;
      }
      return found;
    } catch (error) {
      // It is what was asked for, whatever became of the connection then.
      if (found !== undefined && isLost(error)) return found;
      if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
      throw fromConnectError(error, `get of directory ${digest}`, signal);
    }
  }

  async *getRecursive(digest: B3Digest, { signal }: OperationOptions = {}): AsyncIterable<Directory> {
    signal?.throwIfAborted();
    /** Digests that were referred to; those that are still to come. */
    const known = new Set([digest.key]);
    const expected = new Set([digest.key]);
    let received = 0;
    try {
      for await (const message of this.#request(digest, true, signal)) {
        const directory = parseResponse(message);
        const { key } = directory.digest();
        if (!known.has(key)) throw unexpected(directory);
        received++;
        // Some peers send a directory again; once is enough.
        if (!expected.delete(key)) continue;
        for (const { node } of directory.children()) {
          if (known.has(node.digest.key)) continue;
          known.add(node.digest.key);
          expected.add(node.digest.key);
        }
        yield directory;
      }
    } catch (error) {
      throw fromConnectError(error, `get of directory ${digest}`, signal);
    }
    if (received > 0 && expected.size > 0) {
      throw new CastoreError(
        "INCOMPLETE",
        `still expected ${expected.size} directories below ${digest}, but the peer's stream has ended`,
        { subject: digest.toString() },
      );
    }
  }

  async put(directory: Directory, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.putMany([directory], options);
  }

  async putMany(directories: DirectorySource, { signal }: OperationOptions = {}): Promise<B3Digest> {
    signal?.throwIfAborted();
    let sourceFailure: { error: unknown } | undefined;
    const { maxDirectoryBytes } = this;
    const expected = new ExpectedRoot(maxDirectoryBytes);
    async function* messages() {
      try {
        for await (const directory of directories) {
          const name = `directory ${directory.digest()}`;
          checkDirectoryBytes(directory.encode().length, maxDirectoryBytes, name);
          expected.add(directory);
          yield formatEntries(directory.entries);
        }
      } catch (error) {
        sourceFailure = { error };
        throw error;
      }
    }
    let received: Uint8Array;
    try {
      const client = await this.#peer.client(signal);
      received = (await client.put(messages(), signal === undefined ? {} : { signal })).rootDigest;
    } catch (error) {
      if (sourceFailure !== undefined) throw sourceFailure.error;
      throw fromConnectError(error, "put of directories", signal);
    }
    const root = expected.finish();
    const found = B3Digest.from(received, "root_digest in the response");
    if (root.equals(found)) return root;
    throw new CastoreError("INVALID_RESPONSE", `peer stored the tree ${root} as ${found}`);
  }

  async *#request(
    digest: B3Digest,
    recursive: boolean,
    signal: AbortSignal | undefined,
  ): AsyncIterable<DirectoryMessage> {
    const request = { byWhat: { case: "digest" as const, value: digest.bytes }, recursive };
    for (let most = 0; ; ) {
      let received = 0;
      try {
        const client = await this.#peer.client(signal);
        for await (const message of leavingEarly((left) => client.get(request, { signal: left }), signal)) {
          received++;
          yield message;
        }
        return;
      } catch (error) {
        // The connection broke in the middle: once more, if it has come further than the last time.
        if (!recursive || !isLost(error) || received <= most || signal?.aborted === true) throw error;
        most = received;
      }
    }
  }
}

/**
 * What the root of sent directories has to be. What is wrong with them is for the peer to say: a
 * stream that ends before the fault may be a whole tree to it.
 */
class ExpectedRoot {
  readonly #validator: ClosureValidator;
  #fault: { readonly error: unknown } | undefined;

  constructor(maxDirectoryBytes: number) {
    this.#validator = new ClosureValidator(maxDirectoryBytes);
  }

  add(directory: Directory): void {
    if (this.#fault !== undefined) return;
    try {
      this.#validator.add(directory);
    } catch (error) {
      this.#fault = { error };
    }
  }

  /** @throws CastoreError what is wrong with them, if the peer has not said so */
  finish(): B3Digest {
    if (this.#fault !== undefined) throw this.#fault.error;
    return this.#validator.finish();
  }
}

function isLost(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unavailable;
}

function parseResponse(message: DirectoryMessage): Directory {
  try {
    return parseDirectory(message);
  } catch (cause) {
    throw new CastoreError("INVALID_RESPONSE", "peer sent an invalid directory", { cause });
  }
}

function unexpected(directory: Directory): CastoreError {
  return new CastoreError("INVALID_RESPONSE", `received unexpected directory ${directory.digest()}`);
}
