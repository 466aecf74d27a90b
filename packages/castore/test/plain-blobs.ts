import type { BlobService } from "@tvix/castore";

/** The same blobs, without what only some services can: store chunk by chunk, be asked for many at once. */
export function plain(inner: BlobService): BlobService {
  return {
    has: (...parameters) => inner.has(...parameters),
    read: (...parameters) => inner.read(...parameters),
    put: (...parameters) => inner.put(...parameters),
    chunks: (...parameters) => inner.chunks(...parameters),
  };
}
