import type { ByteStream } from "@tvix/byte-stream";
import { copyBytes } from "@tvix/byte-stream";
import type { BlobService, ByteBudget, FileNode } from "@tvix/castore";
import type { NarFile } from "@tvix/nar";

/** A file on its way into the store. */
export interface FileUnderWay {
  /** Resolves when it is stored. */
  readonly stored: Promise<FileNode>;
}

/** Where files go to. */
export interface FileDestination {
  readonly blobs: Pick<BlobService, "put">;
  /** What files may hold that are not yet stored. */
  readonly underWay: ByteBudget;
  readonly signal: AbortSignal | undefined;
}

/** What a file that is being stored takes at least, however short it is. */
const LEAST_HELD_BYTES = 16 << 10;

/** Most that a blob service holds of a file that comes in pieces: its longest chunk. */
const MOST_HELD_BYTES = 512 << 10;

/**
 * Begins to store a file of a NAR; resolves when all its contents have been taken from the
 * NAR and there is room for what they hold, so that its next entry can be read while this one
 * is made durable. Rejects when they could not all be taken.
 *
 * @param watch sees the contents as they go by
 */
export async function beginFile(
  file: NarFile,
  to: FileDestination,
  watch: (piece: Uint8Array) => void,
): Promise<FileUnderWay> {
  const { executable, size, contents } = file;
  const node = (digest: FileNode["digest"]): FileNode => ({
    type: "file",
    digest,
    size: BigInt(size),
    executable,
  });
  if (contents instanceof Uint8Array) {
    // A copy: the piece that it came in may be used again, and be much longer.
    const own = copyBytes(contents);
    watch(own);
    const stored = to.blobs.put(own, to).then(node);
    ignoreUntilAwaited(stored);
    await hold(Math.max(own.length, LEAST_HELD_BYTES), stored, to.underWay);
    return { stored };
  }
  const taken = Promise.withResolvers<void>();
  const stored = to.blobs.put(noticingEnd(contents as ByteStream, watch, taken.resolve), to).then(node);
  // What fails while the contents are taken, the source or the store, is the failure of the NAR.
  stored.then(() => taken.resolve(), taken.reject);
  ignoreUntilAwaited(stored);
  await taken.promise;
  await hold(MOST_HELD_BYTES, stored, to.underWay);
  return { stored };
}

/** It may fail while there is no room for it, when nobody looks at it yet. */
function ignoreUntilAwaited(stored: Promise<unknown>): void {
  stored.catch(() => {});
}

/**
 * Takes bytes from a budget until a file is stored. Only files that have all been read hold
 * some: none waits for its source meanwhile, so all of it comes back.
 */
async function hold(bytes: number, stored: Promise<unknown>, budget: ByteBudget): Promise<void> {
  const release = () => budget.release(bytes);
  const released = () => void stored.then(release, release);
  if (budget.tryAcquire(bytes)) return released();
  await budget.acquire(bytes);
  released();
}

async function* noticingEnd(
  contents: ByteStream,
  watch: (piece: Uint8Array) => void,
  onEnd: () => void,
): ByteStream {
  for await (const piece of contents) {
    watch(piece);
    yield piece;
  }
  onEnd();
}
