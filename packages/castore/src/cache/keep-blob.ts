import type { ByteStream } from "@tvix/byte-stream";
import type { AssemblingBlobService, BlobAssembly } from "../blob/blob-assembly.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { FetchedChunk } from "./fetched-chunk.ts";
import type { NearFailures } from "./near-failures.ts";

/**
 * Passes a blob on and keeps it near meanwhile. Who reads it waits for the near service as it takes in
 * the chunks, and for what is to be durable at the very end only; who leaves early leaves the chunks
 * there that have come. Where the near service fails, the rest is passed on without it.
 */
export async function* keepBlob(
  blob: B3Digest,
  chunks: AsyncIterable<FetchedChunk>,
  near: AssemblingBlobService,
  failures: NearFailures,
): ByteStream {
  const keeping = new Keeping(near.assemble(), failures);
  try {
    for await (const { digest, bytes, isLast } of chunks) {
      await keeping.add(digest, bytes);
      if (isLast) keeping.commit(blob);
      yield bytes;
    }
  } finally {
    await keeping.end();
  }
}

/** One blob that is kept as far as that succeeds. */
class Keeping {
  #assembly: BlobAssembly | undefined;
  readonly #failures: NearFailures;
  #committing: Promise<void> | undefined;

  constructor(assembly: BlobAssembly, failures: NearFailures) {
    this.#assembly = assembly;
    this.#failures = failures;
  }

  async add(digest: B3Digest, bytes: Uint8Array): Promise<void> {
    await this.#trying((assembly) => assembly.add(digest, bytes));
  }

  /** Begins to make it a blob. */
  commit(blob: B3Digest): void {
    this.#committing = this.#trying((assembly) => assembly.commit(blob));
  }

  /** Waits for the commit; without one, gives it up. */
  async end(): Promise<void> {
    if (this.#committing === undefined) await this.#trying((assembly) => assembly.abort());
    else await this.#committing;
  }

  async #trying(step: (assembly: BlobAssembly) => Promise<void>): Promise<void> {
    const assembly = this.#assembly;
    if (assembly === undefined) return;
    try {
      await step(assembly);
    } catch (error) {
      this.#assembly = undefined;
      this.#failures.notKept(error);
      await assembly.abort().catch(() => {});
    }
  }
}
