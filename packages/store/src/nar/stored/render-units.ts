import type { ByteStream } from "@tvix/byte-stream";
import { ByteBudget, type StoredChunk } from "@tvix/castore";
import { type Loadable, readAhead } from "../read-ahead.ts";
import { READ_AHEAD_BYTES } from "../render.ts";
import type { StoredParts } from "./parts.ts";
import type { Unit } from "./units.ts";

/** What is made of a unit, and what is to be done when nobody looks at it any more. */
export interface MadeUnit {
  readonly pieces: readonly Uint8Array[];
  readonly release?: () => void;
}

/** The chunks among parts, in their order. */
export function chunksOf(parts: StoredParts): readonly StoredChunk[] {
  return parts.flatMap((part) => ("chunk" in part ? [part.chunk] : []));
}

/** What is made of units, in their order; as many as the budget has room for are read ahead. */
export async function* renderUnits(
  units: AsyncIterable<Unit>,
  make: (unit: Unit) => Promise<MadeUnit>,
  budget: ByteBudget = new ByteBudget(READ_AHEAD_BYTES),
): ByteStream {
  for await (const { pieces, release } of readAhead(loadables(units, make), budget)) {
    yield* pieces;
    release?.();
  }
}

async function* loadables(
  units: AsyncIterable<Unit>,
  make: (unit: Unit) => Promise<MadeUnit>,
): AsyncGenerator<Loadable<MadeUnit>, void, undefined> {
  // What was read of a disk, and what is made of it.
  for await (const unit of units) yield { bytes: 2 * unit.length, load: () => make(unit) };
}
