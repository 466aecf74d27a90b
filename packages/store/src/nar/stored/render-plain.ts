import { type ByteStream, concatBytes } from "@tvix/byte-stream";
import type { Node, OperationOptions } from "@tvix/castore";
import type { RenderOptions } from "../render.ts";
import { MovedChunks } from "./moved-chunks.ts";
import { narLengthOf } from "./parts.ts";
import { type PlannedNarServices, partsOf } from "./plans.ts";
import { chunksOf, type MadeUnit, renderUnits } from "./render-units.ts";
import { type Unit, unitsOf } from "./units.ts";

/** From this length on a write costs less than a copy. */
const LONG_BYTES = 32 << 10;

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
  options: RenderOptions = {},
): ByteStream {
  const parts = partsOf(root, services, { ...options, keeps: true });
  const moved = new MovedChunks(root, services);
  const make = (unit: Unit) => readPlain(unit, services, options, moved.note);
  yield* renderUnits(unitsOf(parts, narLengthOf, ALL), make, options.readAhead);
  await moved.forgetPlan();
}

async function readPlain(
  { parts }: Unit,
  { storedBlobs }: PlannedNarServices,
  { signal }: OperationOptions,
  onMoved: () => void,
): Promise<MadeUnit> {
  const contents = await storedBlobs.readMany(chunksOf(parts), { signal, onMoved });
  let next = 0;
  const pieces = parts.map((part) => ("syntax" in part ? part.syntax : (contents[next++] as Uint8Array)));
  return { pieces: joinShort(pieces) };
}

/** The same bytes in fewer pieces: short ones are put together, long ones are not copied. */
function joinShort(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  const joined: Uint8Array[] = [];
  let short: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece.length < LONG_BYTES) {
      short.push(piece);
      continue;
    }
    joined.push(concatBytes(short), piece);
    short = [];
  }
  return [...joined, concatBytes(short)].filter(({ length }) => length > 0);
}
