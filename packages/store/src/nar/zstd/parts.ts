import { concatBytes } from "@tvix/byte-stream";
import {
  CastoreError,
  type DirectoryService,
  mapConcurrently,
  type Node,
  type OperationOptions,
  type StoredBlobs,
  type StoredChunk,
} from "@tvix/castore";
import { narSegments } from "@tvix/nar";
import { sizeMismatch } from "../contents.ts";
import { type BlobFile, outlineOf } from "../outline.ts";
import { rawFrame, rawFrameLength } from "./raw-frame.ts";

/** What the zstd form of a NAR is made from. */
export interface ZstdNarServices {
  readonly storedBlobs: StoredBlobs;
  readonly directoryService: Pick<DirectoryService, "get">;
}

/** A part of the zstd form of a NAR: one or more whole frames. */
export type ZstdPart =
  /** Syntax of the NAR. */
  | { readonly length: number; readonly frame: Uint8Array }
  /** A chunk of a file: the frame in which it is stored, or one around it. */
  | { readonly length: number; readonly chunk: StoredChunk };

/** Segments whose chunks are looked up ahead: where that takes a journey, many share it. */
const AHEAD_SEGMENTS = 512;

/** Syntax is put into a frame when there is that much of it: trees of links have no files. */
const SYNTAX_MAX_BYTES = 64 << 10;

/**
 * The NAR of a node as a zstd stream, in parts, of which those of chunks have not been read:
 * the frames in which chunks are stored, and small ones for the syntax between them.
 *
 * @throws CastoreError INCOMPLETE or CORRUPT, StoreError SIZE_MISMATCH, NarError for a tree
 *   that is too deep for a NAR
 */
export async function* zstdParts(
  root: Node,
  { storedBlobs, directoryService }: ZstdNarServices,
  options: OperationOptions = {},
): AsyncGenerator<ZstdPart, void, undefined> {
  let syntax: Uint8Array[] = [];
  let syntaxLength = 0;
  const segments = narSegments<BlobFile>(outlineOf(root, directoryService, options));
  const found = mapConcurrently(segments, AHEAD_SEGMENTS, async (segment) => {
    const isFile = !(segment instanceof Uint8Array) && segment.size > 0;
    return { segment, chunks: isFile ? await storedChunksOf(segment, storedBlobs, options) : undefined };
  });
  for await (const { segment, chunks } of found) {
    if (segment instanceof Uint8Array) {
      syntax.push(segment);
      syntaxLength += segment.length;
      if (syntaxLength < SYNTAX_MAX_BYTES) continue;
    } else if (chunks === undefined) {
      continue;
    }
    const frame = rawFrame(concatBytes(syntax));
    yield { length: frame.length, frame };
    syntax = [];
    syntaxLength = 0;
    if (!(segment instanceof Uint8Array) && chunks !== undefined) yield* chunkParts(segment, chunks);
  }
  if (syntaxLength > 0) {
    const frame = rawFrame(concatBytes(syntax));
    yield { length: frame.length, frame };
  }
}

async function storedChunksOf(
  { node: { digest } }: BlobFile,
  blobs: StoredBlobs,
  options: OperationOptions,
): Promise<AsyncIterable<StoredChunk>> {
  const chunks = await blobs.storedChunks(digest, options);
  if (chunks !== undefined) return chunks;
  const subject = digest.toString();
  throw new CastoreError("INCOMPLETE", `blob ${subject} is not in the store`, { subject });
}

async function* chunkParts(
  file: BlobFile,
  chunks: AsyncIterable<StoredChunk>,
): AsyncGenerator<ZstdPart, void, undefined> {
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.size;
    const length = chunk.encoding === "zstd" ? chunk.storedLength : rawFrameLength(chunk.size);
    yield { length, chunk };
  }
  if (size !== file.size) throw sizeMismatch(file);
}

/**
 * The bytes of a part.
 *
 * @throws CastoreError INCOMPLETE or CORRUPT, also when the chunk is not stored any more as
 *   it was when the part was made
 */
export async function readPart(
  part: ZstdPart,
  blobs: StoredBlobs,
  options: OperationOptions,
): Promise<Uint8Array> {
  if ("frame" in part) return part.frame;
  const { encoding, payload } = await blobs.readStored(part.chunk, options);
  const frame = encoding === "zstd" ? payload : rawFrame(payload);
  if (frame.length === part.length) return frame;
  const subject = part.chunk.digest.toString();
  throw new CastoreError("CORRUPT", `chunk ${subject} is not stored as it was a moment ago`, { subject });
}
