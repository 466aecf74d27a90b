import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import type { DirectoryService as DirectoryServiceDesc } from "@tvix/protocol/tvix/castore";
import { B3Digest } from "../digest/b3-digest.ts";
import type { Directory } from "../directory/directory.ts";
import type { DirectoryService, DirectorySource } from "../directory/directory-service.ts";
import { formatEntries } from "../directory/encode.ts";
import type { DirectoryMessage } from "../directory/messages.ts";
import { parseDirectory } from "../directory/parse.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import type { GrpcClientOptions } from "./blob-service.ts";
import { leavingEarly } from "./leave-early.ts";
import { directoryServiceOf } from "./namespace.ts";
import { fromConnectError } from "./status.ts";

/**
 * Directories of a peer, by gRPC, gRPC-Web or Connect. The peer is not trusted: each
 * directory is compared with its digest, and a tree must be complete.
 */
export class GrpcDirectoryService implements DirectoryService {
  readonly #client: Client<typeof DirectoryServiceDesc>;

  constructor(transport: Transport, { namespace = "tvix" }: GrpcClientOptions = {}) {
    this.#client = createClient(directoryServiceOf(namespace), transport);
  }

  async get(digest: B3Digest, { signal }: OperationOptions = {}): Promise<Directory | undefined> {
    signal?.throwIfAborted();
    try {
      for await (const message of this.#request(digest, false, signal)) {
        const directory = parseResponse(message);
        if (!directory.digest().equals(digest)) throw unexpected(directory);
        return directory;
      }
      return undefined;
    } catch (error) {
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
    async function* messages() {
      try {
        for await (const directory of directories) yield formatEntries(directory.entries);
      } catch (error) {
        sourceFailure = { error };
        throw error;
      }
    }
    try {
      const { rootDigest } = await this.#client.put(messages(), signal === undefined ? {} : { signal });
      return B3Digest.from(rootDigest, "root_digest in the response");
    } catch (error) {
      if (sourceFailure !== undefined) throw sourceFailure.error;
      throw fromConnectError(error, "put of directories", signal);
    }
  }

  #request(
    digest: B3Digest,
    recursive: boolean,
    signal: AbortSignal | undefined,
  ): AsyncIterable<DirectoryMessage> {
    const request = { byWhat: { case: "digest" as const, value: digest.bytes }, recursive };
    return leavingEarly((callSignal) => this.#client.get(request, { signal: callSignal }), signal);
  }
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
