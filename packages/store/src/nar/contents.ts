import { type ByteStream, collect, StreamTooLongError } from "@tvix/byte-stream";
import { type BlobService, CastoreError, type ReadBlobOptions } from "@tvix/castore";
import { StoreError } from "../errors/store-error.ts";
import type { BlobFile } from "./outline.ts";

/** What rendering a NAR reads from. */
export type BlobSource = Pick<BlobService, "read">;

/**
 * The contents of a file, or a part of them.
 *
 * @throws CastoreError INCOMPLETE when the blob is not in the service
 */
export async function openContents(
  { node: { digest } }: BlobFile,
  blobs: BlobSource,
  options: ReadBlobOptions,
): Promise<ByteStream> {
  const stream = await blobs.read(digest, options);
  if (stream !== undefined) return stream;
  throw new CastoreError("INCOMPLETE", `blob ${digest} is not in the store`, { subject: digest.toString() });
}

/**
 * The contents of a short file as one piece.
 *
 * @throws CastoreError INCOMPLETE; StoreError SIZE_MISMATCH when the tree states another size
 */
export async function readWhole(
  file: BlobFile,
  blobs: BlobSource,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const stream = await openContents(file, blobs, { signal, sizeHint: file.size });
  let contents: Uint8Array;
  try {
    contents = await collect(stream, file.size);
  } catch (error) {
    throw error instanceof StreamTooLongError ? sizeMismatch(file) : error;
  }
  if (contents.length !== file.size) throw sizeMismatch(file);
  return contents;
}

/** The contents of a long file in pieces; as many as the tree states. */
export async function* streamContents(
  file: BlobFile,
  blobs: BlobSource,
  signal: AbortSignal | undefined,
): ByteStream {
  let length = 0;
  for await (const piece of await openContents(file, blobs, { signal })) {
    length += piece.length;
    if (length > file.size) throw sizeMismatch(file);
    yield piece;
  }
  if (length < file.size) throw sizeMismatch(file);
}

/** What to say when a blob is longer or shorter than its tree states. */
export function sizeMismatch({ node, size }: BlobFile): StoreError {
  return new StoreError(
    "SIZE_MISMATCH",
    `blob ${node.digest} has not the size of ${size} bytes that its tree states`,
  );
}
