import { collect } from "@tvix/byte-stream";
import { CastoreError } from "@tvix/castore";
import type { Bucket } from "./bucket.ts";
import { s3Failure } from "./failure.ts";

/** How often a body that breaks off is gone on with. */
const ATTEMPTS = 5;

/** Length of what {@link fetchShort} reads, in bytes. */
const SHORT_BYTES = 1024;

/**
 * Bytes of an object as they arrive; gone on with where a connection breaks off. Ends early where the object does, at
 * once where there is none.
 *
 * @throws CastoreError UNAVAILABLE, STORAGE_FAILURE
 */
export async function* fetchRange(
  bucket: Pick<Bucket, "get">,
  name: string,
  start: number,
  length: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let received = 0;
  for (let attempt = 1; received < length; attempt++) {
    const body = await bucket.get(name, start + received, length - received);
    if (body === undefined) return;
    const before = received;
    try {
      for await (const piece of body) {
        received += piece.length;
        if (received > length) throw tooMuch();
        yield piece;
      }
      // The object ends here.
      return;
    } catch (error) {
      if (CastoreError.is(error)) throw error;
      if (attempt === ATTEMPTS && received === before) throw s3Failure("read", error);
      if (received > before) attempt = 0;
    }
  }
}

/**
 * The first 1024 bytes of an object; undefined where there is none, or nothing in it.
 *
 * @throws CastoreError UNAVAILABLE, STORAGE_FAILURE
 */
export async function fetchShort(bucket: Pick<Bucket, "get">, name: string): Promise<Uint8Array | undefined> {
  const bytes = await collect(fetchRange(bucket, name, 0, SHORT_BYTES), SHORT_BYTES);
  return bytes.length === 0 ? undefined : bytes;
}

function tooMuch(): CastoreError {
  return new CastoreError("STORAGE_FAILURE", "the object store sends more than it was asked for");
}
