import type { ByteStream } from "@tvix/byte-stream";
import { CastoreError, type EncodedChunk, type Node, type StoredChunk } from "@tvix/castore";
import type { RenderOptions } from "../render.ts";
import type { NarRange } from "../render-range.ts";
import { MovedChunks } from "./moved-chunks.ts";
import { type StoredParts, zstdLengthOf } from "./parts.ts";
import { type PlannedNarServices, partsOf } from "./plans.ts";
import { writeRawFrame } from "./raw-frame.ts";
import { chunksOf, type MadeUnit, renderUnits } from "./render-units.ts";
import { type Unit, unitsOf } from "./units.ts";

/** Options of {@link renderZstdNar}. */
export interface RenderZstdOptions extends RenderOptions {
  /** Which part of the compressed bytes. Default: all. */
  readonly range?: NarRange | undefined;
  /**
   * Buffers of {@link UNIT_BUFFER_BYTES} that pieces are made in: then each holds anything as soon as the next one is
   * asked for. Default: each has memory of its own.
   */
  readonly buffers?: UnitBuffers | undefined;
}

/** Buffers that are used again. */
export interface UnitBuffers {
  acquire(): Uint8Array;
  release(buffer: Uint8Array): void;
}

/** Longest pieces that fit into a buffer of {@link UnitBuffers}; longer ones have memory of their own. */
export const UNIT_BUFFER_BYTES: number = 704 << 10;

/** Pieces that would leave half of a buffer empty have memory of their own. */
const LEAST_POOLED_BYTES = UNIT_BUFFER_BYTES / 2;

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
  { signal, buffers: all }: RenderZstdOptions,
  onMoved: () => void,
): Promise<MadeUnit> {
  const chunks = chunksOf(parts);
  const isPooled = length >= LEAST_POOLED_BYTES && length <= UNIT_BUFFER_BYTES;
  const buffers = isPooled ? all : undefined;
  const buffer = buffers?.acquire() ?? new Uint8Array(length);
  const write = (stored: readonly EncodedChunk[]) => {
    checkForms(chunks, stored);
    writeFrames(parts, stored, buffer);
  };
  await storedBlobs.readManyStored(chunks, write, { signal, onMoved });
  return { pieces: [buffer.subarray(from, to)], release: () => buffers?.release(buffer) };
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
