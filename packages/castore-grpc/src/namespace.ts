import { Code, ConnectError } from "@connectrpc/connect";
import { unlessAborted } from "@tvix/castore/backend";
import {
  BlobService as SnixBlobService,
  DirectoryService as SnixDirectoryService,
} from "@tvix/protocol/snix/castore";
import { BlobService, DirectoryService } from "@tvix/protocol/tvix/castore";

/** Under which names a peer serves: those of tvix, or those of snix. The messages are the same. */
export type Namespace = "tvix" | "snix";

/** Both of them. */
export const NAMESPACES: readonly Namespace[] = ["tvix", "snix"];

/** The service of a name space, seen as that of tvix: only names differ. */
export function blobServiceOf(namespace: Namespace): typeof BlobService {
  return namespace === "tvix" ? BlobService : (SnixBlobService as unknown as typeof BlobService);
}

/** The service of a name space, seen as that of tvix: only names differ. */
export function directoryServiceOf(namespace: Namespace): typeof DirectoryService {
  return namespace === "tvix"
    ? DirectoryService
    : (SnixDirectoryService as unknown as typeof DirectoryService);
}

/**
 * What is asked for to find out whether a peer knows a service: no digest at all, which is refused
 * without looking for anything, wherever that would be.
 */
export const NO_DIGEST: Uint8Array = new Uint8Array(0);

/**
 * The client of a service under the names that its peer has. Where they are not given, one short
 * call finds out which, before the first that matters: a stream could not be sent again. The
 * answer is remembered.
 */
export class NamespaceChoice<C> {
  readonly #clients: Readonly<Record<Namespace, C>>;
  readonly #probe: (client: C) => Promise<unknown>;
  #chosen: Promise<Namespace> | undefined;

  /**
   * @param namespace what is wanted, or `auto` to find out
   * @param probe a call that changes nothing; only whether it is UNIMPLEMENTED matters
   */
  constructor(
    namespace: Namespace | "auto",
    clients: Readonly<Record<Namespace, C>>,
    probe: (client: C) => Promise<unknown>,
  ) {
    this.#clients = clients;
    this.#probe = probe;
    if (namespace !== "auto") this.#chosen = Promise.resolve(namespace);
  }

  /** @throws ConnectError when the peer does not answer; the reason of the signal */
  async client(signal: AbortSignal | undefined): Promise<C> {
    return this.#clients[await this.namespace(signal)];
  }

  /** @throws ConnectError when the peer does not answer; the reason of the signal */
  async namespace(signal: AbortSignal | undefined): Promise<Namespace> {
    this.#chosen ??= this.#find();
    // Seen by whoever waits for it; all may have left.
    this.#chosen.catch(() => {});
    return await unlessAborted(this.#chosen, signal);
  }

  async #find(): Promise<Namespace> {
    try {
      await this.#probe(this.#clients.tvix);
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code === Code.Unimplemented) return "snix";
      // Whoever says that it is not there, or that the question is wrong, has understood it.
      if (code !== Code.NotFound && code !== Code.InvalidArgument) {
        this.#chosen = undefined;
        // A service that failed is there, most likely; the call itself is to tell what it meets.
        if (code !== Code.Internal) throw error;
      }
    }
    return "tvix";
  }
}
