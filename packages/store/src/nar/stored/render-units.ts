import type { ByteStream } from "@tvix/byte-stream";
import { ByteBudget, type StoredChunk } from "@tvix/castore";
import { type Loadable, readAhead } from "../read-ahead.ts";
import { READ_AHEAD_BYTES, type RenderOptions } from "../render.ts";
import type { StoredParts } from "./parts.ts";
import type { Unit } from "./units.ts";

/** Options of what is rendered from chunks as they are stored. */
export interface RenderStoredOptions extends RenderOptions {
  /**
   * Buffers that pieces are made in: then each holds anything as soon as the next one is asked for. Default: each has
   * memory of its own.
   */
  readonly buffers?: UnitBuffers | undefined;
}

/** Buffers that are used again. */
export interface UnitBuffers {
  /** One of at least so many bytes, with anything in it. */
  acquire(length: number): Uint8Array;
  /** Takes back a buffer as it was acquired. */
  release(buffer: Uint8Array): void;
}

/** Lengths of buffers that most pieces fit into, in bytes, ascending: a piece has up to 640 KiB. */
export const UNIT_BUFFER_LENGTHS: readonly number[] = [176 << 10, 352 << 10, 704 << 10];

/** What is made of a unit, and what is to be done when nobody looks at it any more. */
export interface MadeUnit {
  readonly piece: Uint8Array;
  readonly release: () => void;
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
  for await (const { piece, release } of readAhead(loadables(units, make), budget)) {
    yield piece;
    release();
  }
}

async function* loadables(
  units: AsyncIterable<Unit>,
  make: (unit: Unit) => Promise<MadeUnit>,
): AsyncGenerator<Loadable<MadeUnit>, void, undefined> {
  // What was read of a disk, and what is made of it.
  for await (const unit of units) yield { bytes: 2 * unit.length, load: () => make(unit) };
}
