import type { BlobService } from "../blob/blob-service.ts";
import { CastoreError } from "../errors/castore-error.ts";

/** The same blobs, to which none are added: a put fails with READ_ONLY. */
export function readOnlyBlobService(inner: BlobService): BlobService {
  return {
    has: (digest, options) => inner.has(digest, options),
    read: (digest, options) => inner.read(digest, options),
    chunks: (digest, options) => inner.chunks(digest, options),
    put: () => Promise.reject(readOnly("blobs")),
  };
}

/** The failure of whatever is put where nothing is taken. */
export function readOnly(what: string): CastoreError {
  return new CastoreError("READ_ONLY", `this store takes no ${what}`);
}
