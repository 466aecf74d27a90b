import type { ByteStream } from "@tvix/byte-stream";
import { type B3Digest, type BlobService, CastoreError, type FileNode } from "@tvix/castore";
import { isKnownToClient, leavingOf, sendResource } from "@tvix/http-resource";
import type { FastifyReply, FastifyRequest } from "fastify";
import { headersOf } from "./headers.ts";
import { mediaTypeOf } from "./media-type.ts";
import type { CastoreHttp } from "./options.ts";

/** A file on its way to a client. */
export interface SentFile {
  readonly node: FileNode;
  /** By which its type is told. */
  readonly name: string;
  /** Whether the address holds a digest. */
  readonly isImmutable: boolean;
}

/** Answers GET and HEAD of a file, or of a part of it. */
export async function sendFile(
  { blobService, stallMs }: CastoreHttp,
  { node, name, isImmutable }: SentFile,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { digest } = node;
  const length = Number(node.size);
  const resource = {
    etag: `"${digest.toHex()}"`,
    length,
    // A whole file is read to its end: one that is longer than its directory says is cut off, not cut short.
    open: (signal: AbortSignal, range?: { readonly start: number; readonly end: number }) =>
      read(blobService, digest, signal, range?.start ?? 0, range && range.end - range.start),
  };
  // Whoever is sent nothing is not told that it is there when it is not.
  const isSent = request.method === "GET" && !isKnownToClient(request.headers, resource.etag);
  if (!isSent) await checkBeginning(blobService, digest, leavingOf(reply).signal);
  const type = await mediaTypeOf(name, node, blobService);
  return await sendResource(request, reply, resource, headersOf(isImmutable, type), stallMs);
}

async function* read(
  blobs: BlobService,
  digest: B3Digest,
  signal: AbortSignal,
  offset: number,
  length: number | undefined,
): ByteStream {
  const part = length === undefined ? { offset } : { offset, length };
  const contents = await blobs.read(digest, { signal, ...part });
  if (contents === undefined) throw missing(digest);
  yield* contents;
}

/** Reads the first byte: to ask whether it is there would be to claim it, as those do who store. */
async function checkBeginning(blobs: BlobService, digest: B3Digest, signal: AbortSignal): Promise<void> {
  for await (const _ of read(blobs, digest, signal, 0, 1)) return;
}

function missing(digest: B3Digest): CastoreError {
  return new CastoreError("INCOMPLETE", `blob ${digest} is not in the store`, { subject: `${digest}` });
}

/** The node of a blob that is known by its digest alone; undefined when it is not in the service. */
export async function fileOf(blobs: BlobService, digest: B3Digest): Promise<FileNode | undefined> {
  const chunks = await blobs.chunks(digest);
  if (chunks === undefined) return undefined;
  let size = chunks.reduce((sum, chunk) => sum + chunk.size, 0);
  if (chunks.length === 0) {
    // One without a finer division is short, or so long that its chunks are not listed.
    const stream = await blobs.read(digest);
    if (stream === undefined) return undefined;
    for await (const piece of stream) size += piece.length;
  }
  return { type: "file", digest, size: BigInt(size), executable: false };
}
