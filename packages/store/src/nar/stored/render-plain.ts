import type { ByteStream } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import { MovedChunks } from "./moved-chunks.ts";
import { narLengthOf } from "./parts.ts";
import { type PlannedNarServices, partsOf } from "./plans.ts";
import { chunksOf, type MadeUnit, type RenderStoredOptions, renderUnits } from "./render-units.ts";
import { type Unit, unitsOf } from "./units.ts";

const ALL = { start: 0, end: Number.MAX_SAFE_INTEGER };

/**
 * The NAR of a node as `renderNar` gives it, from chunks as they are stored: many are read, and put together, at once.
 * Each is checked against its digest.
 *
 * @throws CastoreError INCOMPLETE or CORRUPT, StoreError SIZE_MISMATCH, NarError for a tree that is too deep for a NAR
 */
export async function* renderStoredNar(
  root: Node,
  services: PlannedNarServices,
  options: RenderStoredOptions = {},
): ByteStream {
  const parts = partsOf(root, services, { ...options, keeps: true });
  const moved = new MovedChunks(root, services);
  const make = (unit: Unit) => readPlain(unit, services, options, moved.note);
  yield* renderUnits(unitsOf(parts, narLengthOf, ALL), make, options.readAhead);
  await moved.forgetPlan();
}

async function readPlain(
  { parts, length }: Unit,
  { storedBlobs }: PlannedNarServices,
  { signal, buffers }: RenderStoredOptions,
  onMoved: () => void,
): Promise<MadeUnit> {
  const buffer = buffers?.acquire(length) ?? new Uint8Array(length);
  const places: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    const place = buffer.subarray(at, at + narLengthOf(part));
    if ("syntax" in part) place.set(part.syntax);
    else places.push(place);
    at += place.length;
  }
  await storedBlobs.readManyInto(chunksOf(parts), places, { signal, onMoved });
  return { piece: buffer.subarray(0, length), release: () => buffers?.release(buffer) };
}
