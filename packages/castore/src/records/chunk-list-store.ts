import type { ChunkMeta } from "../blob/blob-service.ts";
import type { ChunkListStore, ChunkListWriter, PlacedChunk } from "../blob/chunk-list-store.ts";
import {
  type CollectionState,
  isSame,
  isStill,
  mayHaveCollectedSince,
  readCollection,
  type UploadStart,
} from "../collect/collection-state.ts";
import { claim, claimAll } from "../collect/fence.ts";
import { segmentsOf } from "../collect/sweep.ts";
import { inBatches } from "../concurrency/in-batches.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { ChunkListBuffer, type ChunkListRecord, decodeChunks } from "./chunk-list-codec.ts";
import type { RecordStore } from "./record-store.ts";
import { removeUpload } from "./remove-expired.ts";
import { CHUNK_LISTS, CONDEMNED, LIST_SEGMENTS } from "./tables.ts";
import { UploadLease } from "./upload-lease.ts";

/** Chunks in a segment: 36 KiB, and at 256 KiB a chunk 256 MiB of blob. */
const SEGMENT_CHUNKS = 1024;

/**
 * Chunk lists as records.
 *
 * A list is written in segments while the upload goes on, under an identifier of its own, so
 * that memory stays flat. The record that names them is written last. Segments that a crash
 * left without a record are removed when their lease has expired.
 */
export class RecordChunkListStore implements ChunkListStore {
  readonly #records: RecordStore;
  /**
   * How far a collection was when a list was written last: whoever begins to write has its chunks looked up
   * after that, but for look-ups under way that it shares.
   */
  #seen: CollectionState | undefined;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async count(blob: B3Digest): Promise<number | undefined> {
    return (await this.#record(blob))?.count;
  }

  async claim(blob: B3Digest): Promise<boolean> {
    // Most blobs have none.
    if (!(await CHUNK_LISTS.has(this.#records, blob))) return false;
    const before = await readCollection(this.#records);
    if ((await claim(this.#records, { kind: "blob", digest: blob })) === undefined) return false;
    const after = await readCollection(this.#records);
    // In other phases its chunks stay with a list; while one sweeps, some may have gone.
    if (before.phase !== "sweeping" && isSame(before, after)) return true;
    try {
      if ((await claimChunks(this.#records, this.read(blob, 0))) !== undefined) return false;
    } catch (error) {
      if (CastoreError.is(error) && error.code === "INCOMPLETE") return false;
      throw error;
    }
    // The list itself may have gone meanwhile.
    return (await claim(this.#records, { kind: "blob", digest: blob })) !== undefined;
  }

  async *read(blob: B3Digest, offset: number): AsyncIterable<PlacedChunk> {
    const record = await this.#record(blob);
    if (record === undefined) {
      const subject = blob.toString();
      throw new CastoreError("INCOMPLETE", `the chunk list of blob ${subject} is not there`, { subject });
    }
    const starts = [...record.segmentOffsets, record.tailOffset];
    for (let index = 0; index < starts.length; index++) {
      const next = starts[index + 1];
      if (next !== undefined && next <= offset) continue;
      let at = starts[index] as number;
      for (const chunk of decodeChunks(await this.#part(blob, record, index))) {
        if (at + chunk.size > offset) yield { ...chunk, offset: at };
        at += chunk.size;
      }
    }
  }

  write(): ChunkListWriter {
    return new RecordChunkListWriter(this.#records, { seen: this.#seen, time: Date.now() }, (state) => {
      this.#seen = state;
    });
  }

  async #record(blob: B3Digest): Promise<ChunkListRecord | undefined> {
    return await CHUNK_LISTS.get(this.#records, blob);
  }

  async #part(blob: B3Digest, record: ChunkListRecord, index: number): Promise<Uint8Array> {
    if (index === record.segmentOffsets.length) return record.tail;
    const what = `part ${index} of the chunk list of blob ${blob}`;
    const part = await LIST_SEGMENTS.get(this.#records, { id: record.listId, number: index }, what);
    if (part === undefined) {
      throw new CastoreError("INCOMPLETE", `${what} is missing`, { subject: blob.toString() });
    }
    return part;
  }
}

class RecordChunkListWriter implements ChunkListWriter {
  readonly #records: RecordStore;
  /** Taken when it is first needed, which for most blobs is never. */
  #lease: UploadLease | undefined;
  #buffer: ChunkListBuffer | undefined;
  #first: ChunkMeta | undefined;
  #count = 0;
  /** Place in the blob behind the last chunk. */
  #offset = 0;
  #partOffset = 0;
  readonly #segmentOffsets: number[] = [];
  readonly #start: UploadStart;
  readonly #onSeen: (state: CollectionState) => void;

  /**
   * @param start as it was before any of the chunks was looked up
   * @param onSeen told of how far it is later
   */
  constructor(records: RecordStore, start: UploadStart, onSeen: (state: CollectionState) => void) {
    this.#records = records;
    this.#start = start;
    this.#onSeen = onSeen;
  }

  async append(chunk: ChunkMeta): Promise<void> {
    this.#count++;
    if (this.#count === 1) {
      // Most blobs end here and need no list.
      this.#first = chunk;
    } else {
      await this.#push(chunk);
    }
    this.#offset += chunk.size;
  }

  async commit(blob: B3Digest): Promise<void> {
    const lease = this.#ownLease();
    const list: ChunkListRecord = {
      count: this.#count,
      listId: lease.id,
      segmentOffsets: this.#segmentOffsets,
      tailOffset: this.#partOffset,
      tail: this.#buffer?.take() ?? new Uint8Array(0),
    };
    for (;;) {
      const state = await readCollection(this.#records);
      this.#onSeen(state);
      if (await this.#isIntact(blob)) {
        await this.abort();
        return;
      }
      if (mayHaveCollectedSince(this.#start, state)) await this.#claimChunks(blob, list);
      const known = await this.#records.get(CHUNK_LISTS.keyOf(blob));
      const changes = [
        CHUNK_LISTS.put(blob, list),
        CONDEMNED.remove({ kind: "blob", digest: blob }),
        ...(known === undefined ? [] : segmentsOf(blob, known)),
      ];
      if (await lease.end(changes, [isStill(state)])) return;
    }
  }

  async abort(): Promise<void> {
    if (this.#lease?.isHeld === true) await removeUpload(this.#records, this.#lease.id);
  }

  /** Whether the blob has a list that stays, all parts of which can be read; one that is damaged is replaced. */
  async #isIntact(blob: B3Digest): Promise<boolean> {
    const lists = new RecordChunkListStore(this.#records);
    return (await isReadable(lists, blob)) && (await lists.claim(blob));
  }

  /** A collection has begun, or ended, since chunks were found to be there: it may have taken them. */
  async #claimChunks(blob: B3Digest, list: ChunkListRecord): Promise<void> {
    const missing = await claimChunks(this.#records, this.#chunksOf(list));
    if (missing === undefined) return;
    const text = `chunk ${missing} of blob ${blob} was collected before the blob was complete: put it again`;
    throw new CastoreError("UNAVAILABLE", text, { subject: blob.toString() });
  }

  async *#chunksOf({
    listId,
    segmentOffsets,
    tail,
  }: ChunkListRecord): AsyncGenerator<ChunkMeta, void, undefined> {
    for (let number = 0; number < segmentOffsets.length; number++) {
      const segment = await LIST_SEGMENTS.get(this.#records, { id: listId, number });
      if (segment !== undefined) yield* decodeChunks(segment);
    }
    yield* decodeChunks(tail);
  }

  #ownLease(): UploadLease {
    this.#lease ??= new UploadLease(this.#records);
    return this.#lease;
  }

  async #push(chunk: ChunkMeta): Promise<void> {
    if (this.#buffer === undefined) {
      this.#buffer = new ChunkListBuffer(SEGMENT_CHUNKS);
      if (this.#first !== undefined) this.#buffer.push(this.#first);
    }
    if (this.#buffer.isFull) await this.#flushSegment(this.#buffer);
    else if (this.#lease !== undefined) await this.#lease.keep();
    this.#buffer.push(chunk);
  }

  async #flushSegment(buffer: ChunkListBuffer): Promise<void> {
    const lease = this.#ownLease();
    const segment = { id: lease.id, number: this.#segmentOffsets.length };
    this.#segmentOffsets.push(this.#partOffset);
    this.#partOffset = this.#offset;
    await lease.write([LIST_SEGMENTS.put(segment, buffer.take())]);
  }
}

/** Whether a blob has a list, all parts of which can be read. */
async function isReadable(lists: RecordChunkListStore, blob: B3Digest): Promise<boolean> {
  try {
    for await (const _ of lists.read(blob, 0)) {
      // Each part is read, and that is all.
    }
    return true;
  } catch (error) {
    if (CastoreError.is(error) && (error.code === "CORRUPT" || error.code === "INCOMPLETE")) return false;
    throw error;
  }
}

/** Chunks that are claimed together. */
const CLAIMED_TOGETHER = 1024;

/** Claims chunks. @returns the first that is not there, undefined when all are */
async function claimChunks(
  records: RecordStore,
  chunks: AsyncIterable<ChunkMeta>,
): Promise<B3Digest | undefined> {
  for await (const batch of inBatches(chunks, CLAIMED_TOGETHER)) {
    const missing = await claimAll(
      records,
      batch.map(({ digest }) => ({ kind: "chunk", digest })),
    );
    if (missing !== undefined) return missing.digest;
  }
  return undefined;
}
