import type { ByteSource, ByteStream } from "@tvix/byte-stream";
import type { BlobService, ChunkMeta, ReadBlobOptions } from "../blob/blob-service.ts";
import { firstFound } from "../concurrency/first-found.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { isFailureOfService } from "../errors/failure-of-service.ts";
import type { OperationOptions } from "../options.ts";

/**
 * A near service, and a far one that is asked for what the near one has not got. Nothing is copied, and
 * puts go to the near one: `combined` of tvix-castore.
 */
export class CombinedBlobService implements BlobService {
  readonly #near: BlobService;
  readonly #far: BlobService;

  constructor(near: BlobService, far: BlobService) {
    this.#near = near;
    this.#far = far;
  }

  async has(digest: B3Digest, options: OperationOptions = {}): Promise<boolean> {
    const found = await this.#first(async (service) => (await service.has(digest, options)) || undefined);
    return found === true;
  }

  /** A near service that fails after its first byte fails the read: the far one is not asked then. */
  async read(digest: B3Digest, options: ReadBlobOptions = {}): Promise<ByteStream | undefined> {
    return await this.#first((service) => service.read(digest, options));
  }

  async put(source: ByteSource, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.#near.put(source, options);
  }

  async chunks(digest: B3Digest, options: OperationOptions = {}): Promise<readonly ChunkMeta[] | undefined> {
    return await this.#first((service) => service.chunks(digest, options));
  }

  async #first<T>(ask: (service: BlobService) => Promise<T | undefined>): Promise<T | undefined> {
    return await firstFound([() => ask(this.#near), () => ask(this.#far)], isFailureOfService);
  }
}
