import { encodeHex } from "@tvix/byte-stream";
import { mapConcurrently } from "../concurrency/map-concurrently.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { decodeDirectory } from "../directory/parse.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import type { TableEntry } from "../records/table.ts";
import { CHUNK_LISTS, CHUNKS, DIRECTORIES } from "../records/tables.ts";
import { BlobCheck } from "./blob-check.ts";
import { type DataSample, sampler } from "./data-sample.ts";
import type { Fault, LocatedFault } from "./fault.ts";
import { orphanedSegments } from "./orphaned-segments.ts";

/** What is looked through. */
export interface VerificationParts {
  readonly records: RecordStore;
  /**
   * Looks whether a chunk is where its record says, and its bytes are what they should be where they are read.
   *
   * @returns bytes that were read
   * @throws CastoreError CORRUPT when it is not
   */
  readonly inspectChunk: (digest: B3Digest, readsData: boolean) => Promise<number>;
}

/** How a store is looked through. */
export interface VerifyOptions extends OperationOptions {
  /** Of which chunks the bytes are read. Default `none`: only whether there is something where they should be. */
  readonly data?: DataSample;
  /** Bytes that are read in a second, at most. Default as many as can be. */
  readonly bytesPerSecond?: number | undefined;
}

/** What was looked at. */
export interface VerifiedCounts {
  chunks: number;
  /** Blobs of several chunks. */
  blobs: number;
  directories: number;
  /** Of chunks that were read, as they are. */
  bytesRead: number;
}

/** Chunks that are looked at at the same time. */
const AT_ONCE = 8;

/**
 * Looks through all contents: that each chunk is where its record says, that each list adds up, that each
 * directory is what its digest names, and has its directories. Whatever seems wrong is looked at once more: others
 * may read, write and collect meanwhile.
 */
export async function* verifyContents(
  parts: VerificationParts,
  counts: VerifiedCounts,
  options: VerifyOptions = {},
): AsyncGenerator<Fault, void, undefined> {
  for await (const { fault } of locateFaults(parts, counts, options)) yield fault;
}

/** The same, with what each fault lies in: chunks first, then chunk lists, directories, and what is left over. */
export async function* locateFaults(
  parts: VerificationParts,
  counts: VerifiedCounts,
  options: VerifyOptions = {},
): AsyncGenerator<LocatedFault, void, undefined> {
  yield* verifyChunks(parts, counts, options);
  yield* verifyLists(parts, counts, options);
  yield* verifyDirectories(parts, counts, options);
  yield* orphanedSegments(parts.records, options);
}

async function* verifyChunks(
  { records, inspectChunk }: VerificationParts,
  counts: VerifiedCounts,
  options: VerifyOptions,
): AsyncGenerator<LocatedFault, void, undefined> {
  const { data = "none", bytesPerSecond = Number.POSITIVE_INFINITY, signal } = options;
  const isSampled = sampler(data);
  const started = performance.now();
  const look = async (entry: TableEntry<B3Digest, unknown>): Promise<LocatedFault | undefined> => {
    const digest = entry.findKey();
    if (digest === undefined) return strayRecord(entry);
    const inspect = async () => {
      const read = await inspectChunk(digest, isSampled(digest));
      counts.bytesRead += read;
    };
    const fault = await faultOf(inspect, "chunk", digest, () => CHUNKS.has(records, digest));
    return fault && { fault, content: { kind: "chunk", digest } };
  };
  const entries = CHUNKS.entries(records, undefined, options);
  for await (const fault of mapConcurrently(entries, AT_ONCE, look)) {
    counts.chunks++;
    if (fault !== undefined) yield fault;
    const due = started + (1000 * counts.bytesRead) / bytesPerSecond;
    if (due > performance.now()) await pause(due - performance.now(), signal);
  }
}

/** What lies under a key that is none. */
function strayRecord(entry: TableEntry<unknown, unknown>): LocatedFault {
  const record = entry.isUnchanged();
  const name = encodeHex(record.key);
  const text = "a record under a key that no version writes";
  return { fault: { subject: "record", name, kind: "orphaned", text }, record };
}

async function* verifyLists(
  { records }: VerificationParts,
  counts: VerifiedCounts,
  options: OperationOptions,
): AsyncGenerator<LocatedFault, void, undefined> {
  const check = new BlobCheck(records);
  for await (const entry of CHUNK_LISTS.entries(records, undefined, options)) {
    counts.blobs++;
    const digest = entry.findKey();
    if (digest === undefined) {
      yield strayRecord(entry);
      continue;
    }
    const fault = await faultOf(
      () => check.list(digest),
      "blob",
      digest,
      () => CHUNK_LISTS.has(records, digest),
    );
    if (fault !== undefined) yield { fault, content: { kind: "blob", digest } };
  }
}

async function* verifyDirectories(
  { records }: VerificationParts,
  counts: VerifiedCounts,
  options: OperationOptions,
): AsyncGenerator<LocatedFault, void, undefined> {
  for await (const entry of DIRECTORIES.entries(records, undefined, options)) {
    counts.directories++;
    const digest = entry.findKey();
    if (digest === undefined) {
      yield strayRecord(entry);
      continue;
    }
    const isThere = () => DIRECTORIES.has(records, digest);
    const fault = await faultOf(() => checkDirectory(records, digest), "directory", digest, isThere);
    if (fault !== undefined) yield { fault, content: { kind: "directory", digest } };
  }
}

/**
 * Looks whether a directory is what its digest names, and has those below it.
 *
 * @throws CastoreError CORRUPT, INCOMPLETE when it is there, and is not
 */
export async function checkDirectory(records: RecordStore, digest: B3Digest): Promise<void> {
  const encoded = await DIRECTORIES.get(records, digest);
  if (encoded === undefined) return;
  for (const { node } of decodeDirectory(encoded, digest).children()) {
    if (await DIRECTORIES.has(records, node.digest)) continue;
    throw new CastoreError("INCOMPLETE", `directory ${node.digest} below directory ${digest} is missing`);
  }
}

/** What is wrong with something: looked at twice, since it may be written or removed at this moment. */
export async function faultOf(
  inspect: () => Promise<unknown>,
  subject: Fault["subject"],
  name: { toString(): string },
  isThere: () => Promise<boolean>,
): Promise<Fault | undefined> {
  try {
    await inspect();
    return undefined;
  } catch (error) {
    if (!isFault(error)) throw error;
  }
  try {
    await inspect();
    return undefined;
  } catch (error) {
    if (!isFault(error)) throw error;
    if (!(await isThere())) return undefined;
    return { subject, name: name.toString(), kind: "damaged", text: (error as Error).message };
  }
}

/** Whether it is what is stored that is at fault, and not a disk that is out of order. */
export function isFault(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && (error.code === "CORRUPT" || error.code === "INCOMPLETE")
  );
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, 1000)));
}
