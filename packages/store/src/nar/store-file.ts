import type { ByteStream } from "@tvix/byte-stream";
import type { BlobService, FileNode } from "@tvix/castore";
import type { NarFile } from "@tvix/nar";

/** A file on its way into the store. */
export interface FileUnderWay {
  /** Resolves when it is stored. */
  readonly stored: Promise<FileNode>;
}

/**
 * Begins to store a file of a NAR; resolves when all its contents have been taken from the
 * NAR, so that its next entry can be read while this one is made durable. Rejects when they
 * could not all be taken.
 *
 * @param watch sees the contents as they go by
 */
export async function beginFile(
  { contents, executable, size }: NarFile,
  blobs: Pick<BlobService, "put">,
  watch: (piece: Uint8Array) => void,
  signal: AbortSignal | undefined,
): Promise<FileUnderWay> {
  const node = (digest: FileNode["digest"]): FileNode => ({
    type: "file",
    digest,
    size: BigInt(size),
    executable,
  });
  if (contents instanceof Uint8Array) {
    // A copy: the piece that it came in may be used again, and be much longer.
    const own = contents.slice();
    watch(own);
    return { stored: blobs.put(own, { signal }).then(node) };
  }
  const taken = Promise.withResolvers<void>();
  const stored = blobs.put(noticingEnd(contents as ByteStream, watch, taken.resolve), { signal }).then(node);
  // What fails while the contents are taken, the source or the store, is the failure of the NAR.
  stored.then(() => taken.resolve(), taken.reject);
  await taken.promise;
  return { stored };
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
