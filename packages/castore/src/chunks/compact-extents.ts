import { equalBytes } from "@tvix/byte-stream";
import type { Scratch } from "../collect/collect.ts";
import { inBatches } from "../concurrency/in-batches.ts";
import { mapConcurrently } from "../concurrency/map-concurrently.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { ExtentLocation, Extents } from "../extents/extents.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordChange, RecordStore } from "../records/record-store.ts";
import { CHUNKS } from "../records/tables.ts";
import { asStored } from "./chunk-codec.ts";
import { decodeChunkRecord, encodeLocation } from "./chunk-record.ts";

/** What compaction works on. */
export interface CompactionParts {
  readonly records: RecordStore;
  readonly extents: Extents;
  /** Resolves when every chunk that is being written at the moment has its record. */
  readonly settle: () => Promise<void>;
  readonly openScratch: () => Promise<Scratch>;
  /** Told of each chunk that is damaged, with its record. */
  readonly onDamaged: (digest: B3Digest, record: Uint8Array) => Promise<void>;
}

/** Which extents are written anew. */
export interface CompactionOptions extends OperationOptions {
  /** Those of which a smaller part than this is wanted. Default 0.7. */
  readonly liveRatio?: number;
  /** Those as well, if anything in them is not wanted. */
  readonly extents?: ReadonlySet<number>;
  /**
   * Age from which on an extent counts that others may be about to write records for, in milliseconds; those that are
   * named count at once. Default ten minutes.
   */
  readonly youngMs?: number;
}

/** What compaction has done. */
export interface CompactionReport {
  /** Extents that are there no more. */
  readonly retired: number;
  /** Bytes that they took, less those that were written anew. */
  readonly freedBytes: number;
  /** Chunks that could not be moved, since they are damaged: their extents stay. */
  readonly damaged: number;
}

/** Bytes that may be unwanted before an extent counts: a rewrite costs more than they do. */
const SLACK_BYTES = 1 << 20;

/** What an extent may take beside its chunks, for each, in bytes. */
const HEAD_BYTES = 64;

/** Chunks that are listed with one write. */
const LISTED_TOGETHER = 1000;

/** Chunks that are moved at the same time. */
const AT_ONCE = 16;

/**
 * Gives back the room of chunks that are wanted no more: what is wanted of an extent moves to another one, and the
 * extent is retired. Nothing that is read or written meanwhile fails; when it ends in the middle, some chunks
 * lie twice, and the next compaction goes on.
 *
 * One at a time. Where other processes append to these extents too, the extents have conditions
 * ({@link Extents.conditionsOf}); else nobody may.
 */
export async function compactExtents(
  parts: CompactionParts,
  options: CompactionOptions = {},
): Promise<CompactionReport> {
  const { records, extents, settle, openScratch } = parts;
  const { liveRatio = 0.7, extents: given = new Set(), youngMs = 600_000 } = options;
  const youngest = Date.now() - youngMs;
  const live = await liveBytes(records, options);
  const chosen = new Map<number, number>();
  for await (const { extent, length, begun = 0 } of extents.list()) {
    if (begun > youngest && !given.has(extent)) continue;
    const wanted = live.get(extent) ?? 0;
    const isWorthIt = length - wanted > SLACK_BYTES && wanted < length * liveRatio;
    if (length > 0 && (wanted === 0 || isWorthIt || given.has(extent))) chosen.set(extent, length);
  }
  if (chosen.size === 0) return { retired: 0, freedBytes: 0, damaged: 0 };
  for (const extent of chosen.keys()) await extents.seal(extent);
  await settle();
  const scratch = await openScratch();
  try {
    await listChunks(records, scratch.records, chosen, options);
    return await moveAll(parts, scratch.records, chosen, options);
  } finally {
    await scratch.remove();
  }
}

/** What is wanted of each extent, in bytes. */
async function liveBytes(records: RecordStore, options: OperationOptions): Promise<Map<number, number>> {
  const live = new Map<number, number>();
  for await (const { location } of located(records, options)) {
    const { extent, storedLength } = location;
    live.set(extent, (live.get(extent) ?? 0) + storedLength + HEAD_BYTES);
  }
  return live;
}

async function* located(
  records: RecordStore,
  options: OperationOptions,
): AsyncGenerator<{ readonly digest: B3Digest; readonly location: ExtentLocation }, void, undefined> {
  for await (const entry of CHUNKS.entries(records, undefined, options)) {
    const digest = entry.findKey();
    const location = digest && locationOf(entry.value(), digest);
    if (digest !== undefined && location !== undefined) yield { digest, location };
  }
}

/** Undefined for a chunk that lies in its record, and for a damaged record. */
function locationOf(record: Uint8Array, digest: B3Digest): ExtentLocation | undefined {
  try {
    const place = decodeChunkRecord(record, digest);
    return "extent" in place ? place : undefined;
  } catch {
    return undefined;
  }
}

/** Chunks by where they lie: extent (u32), offset (u64); the digest. So they are read, and written, in that order. */
async function listChunks(
  records: RecordStore,
  scratch: RecordStore,
  chosen: ReadonlyMap<number, number>,
  options: OperationOptions,
): Promise<void> {
  const wanted = async function* (): AsyncGenerator<RecordChange, void, undefined> {
    for await (const { digest, location } of located(records, options)) {
      if (!chosen.has(location.extent)) continue;
      const key = new Uint8Array(12);
      new DataView(key.buffer).setUint32(0, location.extent);
      new DataView(key.buffer).setBigUint64(4, BigInt(location.offset));
      yield { type: "put", key, value: digest.bytes };
    }
  };
  for await (const batch of inBatches(wanted(), LISTED_TOGETHER)) await scratch.write(batch);
}

async function moveAll(
  parts: CompactionParts,
  scratch: RecordStore,
  chosen: ReadonlyMap<number, number>,
  options: OperationOptions,
): Promise<CompactionReport> {
  const report = { retired: 0, freedBytes: 0, damaged: 0 };
  for (const [extent, length] of chosen) {
    const prefix = new Uint8Array(4);
    new DataView(prefix.buffer).setUint32(0, extent);
    let [moved, damaged] = [0, 0];
    const moves = mapConcurrently(scratch.entries({ prefix }, options), AT_ONCE, ([, bytes]) =>
      move(parts, B3Digest.from(bytes), extent),
    );
    for await (const storedLength of moves) {
      if (storedLength === undefined) damaged++;
      else moved += storedLength;
    }
    report.damaged += damaged;
    if (damaged > 0) continue;
    await parts.extents.retire(extent);
    report.retired++;
    report.freedBytes += length - moved;
  }
  return report;
}

/** Moves a chunk out of an extent. @returns what it takes, 0 when it is there no more, undefined when it is damaged */
async function move(parts: CompactionParts, digest: B3Digest, extent: number): Promise<number | undefined> {
  const { records, extents } = parts;
  const record = await CHUNKS.get(records, digest);
  const location = record && locationOf(record, digest);
  if (record === undefined || location?.extent !== extent) return 0;
  try {
    const stored = await extents.readIntact(digest, location);
    const place = await extents.append(digest, asStored(stored));
    const value = encodeLocation(place);
    const conditions = (await extents.conditionsOf?.(place.extent)) ?? [];
    const { key } = CHUNKS.put(digest, value);
    // Whoever has removed it, or written it elsewhere, was quicker.
    const isMoved = await records.write(
      [{ type: "put", key, value }],
      [{ key, value: record }, ...conditions],
    );
    return isMoved ? location.storedLength : await move(parts, digest, extent);
  } catch (error) {
    if (!CastoreError.is(error) || error.code !== "CORRUPT") throw error;
    const now = await CHUNKS.get(records, digest);
    // Another compaction has moved it meanwhile.
    if (now === undefined || !equalBytes(now, record)) return await move(parts, digest, extent);
    await parts.onDamaged(digest, record);
    return undefined;
  }
}
