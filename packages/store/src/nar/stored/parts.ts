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
import { rawFrameLength } from "./raw-frame.ts";

/** A part of a NAR as it is stored: some of its syntax, or a chunk of a file. */
export type StoredPart = { readonly syntax: Uint8Array } | { readonly chunk: StoredChunk };

/** Some parts that follow each other: to pass on each by itself takes longer than to look at it. */
export type StoredParts = readonly StoredPart[];

/** What a NAR that is stored is looked up in. */
export interface StoredNarServices {
  readonly storedBlobs: StoredBlobs;
  readonly directoryService: Pick<DirectoryService, "get">;
}

/** Segments whose chunks are looked up ahead: where that takes a journey, many share it. */
const AHEAD_SEGMENTS = 512;

/** Parts that are passed on together, at most. */
const TOGETHER = 512;

/** A part of syntax ends when there is that much of it: trees of links have no files. */
const SYNTAX_MAX_BYTES = 64 << 10;

/** Bytes of the NAR that a part stands for. */
export function narLengthOf(part: StoredPart): number {
  return "syntax" in part ? part.syntax.length : part.chunk.size;
}

/** Bytes that a part takes in the zstd form of the NAR: the frame in which it is stored, or one around it. */
export function zstdLengthOf(part: StoredPart): number {
  if ("syntax" in part) return rawFrameLength(part.syntax.length);
  const { encoding, size, storedLength } = part.chunk;
  return encoding === "zstd" ? storedLength : rawFrameLength(size);
}

/**
 * The NAR of a node in parts, found by walking its tree. The same tree always has the same parts, as long as its chunks
 * are stored as they are.
 *
 * @throws CastoreError INCOMPLETE or CORRUPT, StoreError SIZE_MISMATCH, NarError for a tree
 *   that is too deep for a NAR
 */
export async function* walkParts(
  root: Node,
  services: StoredNarServices,
  options: OperationOptions = {},
): AsyncGenerator<StoredParts, void, undefined> {
  let parts: StoredPart[] = [];
  for await (const part of singleParts(root, services, options)) {
    parts.push(part);
    if (parts.length < TOGETHER) continue;
    yield parts;
    parts = [];
  }
  if (parts.length > 0) yield parts;
}

async function* singleParts(
  root: Node,
  { storedBlobs, directoryService }: StoredNarServices,
  options: OperationOptions,
): AsyncGenerator<StoredPart, void, undefined> {
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
    // A part may have ended just in front of a file.
    if (syntaxLength > 0) yield { syntax: concatBytes(syntax) };
    syntax = [];
    syntaxLength = 0;
    if (!(segment instanceof Uint8Array) && chunks !== undefined) yield* chunkParts(segment, chunks);
  }
  if (syntaxLength > 0) yield { syntax: concatBytes(syntax) };
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
): AsyncGenerator<StoredPart, void, undefined> {
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.size;
    yield { chunk };
  }
  if (size !== file.size) throw sizeMismatch(file);
}
