import type { ByteStream } from "@tvix/byte-stream";
import { CastoreError, type EncodedChunk, type Node, type StoredChunk } from "@tvix/castore";
import type { NarRange } from "../render-range.ts";
import { MovedChunks } from "./moved-chunks.ts";
import { type StoredParts, zstdLengthOf } from "./parts.ts";
import { type PlannedNarServices, partsOf } from "./plans.ts";
import { writeRawFrame } from "./raw-frame.ts";
import { chunksOf, type MadeUnit, type RenderStoredOptions, renderUnits } from "./render-units.ts";
import { type Unit, unitsOf } from "./units.ts";

/** Options of {@link renderZstdNar}. */
export interface RenderZstdOptions extends RenderStoredOptions {
  /** Which part of the compressed bytes. Default: all. */
  readonly range?: NarRange | undefined;
}

/**
 * The NAR of a node as a zstd stream, without compressing anything: the frames in which chunks are stored, and frames of
 * raw blocks for what is between them. The same bytes every time, as long as the chunks are stored as they are. What is
 * passed on of a chunk is what was once stored under its digest; it is not decoded for that.
 *
 * @throws StoreError SIZE_MISMATCH, NarError for a tree that is too deep, CastoreError INCOMPLETE or CORRUPT, also when a chunk is not stored any more as it was
 *   a moment ago
 */
export async function* renderZstdNar(
  root: Node,
  services: PlannedNarServices,
  options: RenderZstdOptions = {},
): ByteStream {
  const { range = { start: 0, end: Number.MAX_SAFE_INTEGER } } = options;
  // Who wants a part does not get to the end, where a plan would be complete.
  const parts = partsOf(root, services, { ...options, keeps: options.range === undefined });
  const moved = new MovedChunks(root, services);
  const make = (unit: Unit) => readZstd(unit, services, options, moved.note);
  yield* renderUnits(unitsOf(parts, zstdLengthOf, range), make, options.readAhead);
  await moved.forgetPlan();
}

async function readZstd(
  { parts, length, from, to }: Unit,
  { storedBlobs }: PlannedNarServices,
  { signal, buffers }: RenderZstdOptions,
  onMoved: () => void,
): Promise<MadeUnit> {
  const chunks = chunksOf(parts);
  const buffer = buffers?.acquire(length) ?? new Uint8Array(length);
  const write = (stored: readonly EncodedChunk[]) => {
    checkForms(chunks, stored);
    writeFrames(parts, stored, buffer);
  };
  await storedBlobs.readManyStored(chunks, write, { signal, onMoved });
  return { piece: buffer.subarray(from, to), release: () => buffers?.release(buffer) };
}

/** Lengths were announced: what has been stored anew since then may have another. */
function checkForms(chunks: readonly StoredChunk[], stored: readonly EncodedChunk[]): void {
  for (const [index, { digest, encoding, storedLength }] of chunks.entries()) {
    const found = stored[index];
    if (found?.encoding === encoding && found.payload.length === storedLength) continue;
    const subject = digest.toString();
    throw new CastoreError("CORRUPT", `chunk ${subject} is not stored as it was a moment ago`, { subject });
  }
}

/** Writes frames one behind the other. */
function writeFrames(parts: StoredParts, stored: readonly EncodedChunk[], bytes: Uint8Array): void {
  let at = 0;
  let next = 0;
  for (const part of parts) {
    if ("syntax" in part) {
      at = writeRawFrame(part.syntax, bytes, at);
      continue;
    }
    const { encoding, payload } = stored[next++] as EncodedChunk;
    if (encoding === "raw") {
      at = writeRawFrame(payload, bytes, at);
    } else {
      bytes.set(payload, at);
      at += payload.length;
    }
  }
}
