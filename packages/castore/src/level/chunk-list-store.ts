import type { ChunkMeta } from "../blob/blob-service.ts";
import type { ChunkListStore, ChunkListWriter, PlacedChunk } from "../blob/chunk-list-store.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { RecordChange, RecordStore } from "../records/record-store.ts";
import { CHUNK_LISTS, LIST_SEGMENTS, UNFINISHED_LISTS } from "../records/tables.ts";
import { ChunkListBuffer, type ChunkListRecord, decodeChunks, LIST_ID_BYTES } from "./chunk-list-codec.ts";

/** Chunks in a segment: 36 KiB, and at 256 KiB a chunk 256 MiB of blob. */
const SEGMENT_CHUNKS = 1024;

/**
 * Chunk lists as records.
 *
 * A list is written in segments while the upload goes on, under an identifier of its own, so
 * that memory stays flat. The record that names them is written last. Segments that a crash
 * left without a record are removed by {@link removeUnfinished}.
 */
export class LevelChunkListStore implements ChunkListStore {
  readonly #records: RecordStore;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async count(blob: B3Digest): Promise<number | undefined> {
    return (await this.#record(blob))?.count;
  }

  async *read(blob: B3Digest, offset: number): AsyncIterable<PlacedChunk> {
    const record = await this.#record(blob);
    if (record === undefined) return;
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
    return new LevelChunkListWriter(this.#records);
  }

  /** Removes what uploads left behind that did not come to an end. Called before the first write. */
  async removeUnfinished(): Promise<void> {
    for await (const { key } of UNFINISHED_LISTS.entries(this.#records)) await removeList(this.#records, key);
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

class LevelChunkListWriter implements ChunkListWriter {
  readonly #records: RecordStore;
  #listId: Uint8Array | undefined;
  #buffer: ChunkListBuffer | undefined;
  #first: ChunkMeta | undefined;
  #count = 0;
  /** Place in the blob behind the last chunk. */
  #offset = 0;
  #partOffset = 0;
  readonly #segmentOffsets: number[] = [];

  constructor(records: RecordStore) {
    this.#records = records;
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
    const listId = this.#ownListId();
    if (await isIntact(this.#records, blob)) {
      await this.abort();
      return;
    }
    const list: ChunkListRecord = {
      count: this.#count,
      listId,
      segmentOffsets: this.#segmentOffsets,
      tailOffset: this.#partOffset,
      tail: this.#buffer?.take() ?? new Uint8Array(0),
    };
    await this.#records.write([CHUNK_LISTS.put(blob, list), UNFINISHED_LISTS.remove(listId)]);
  }

  async abort(): Promise<void> {
    if (this.#segmentOffsets.length > 0) await removeList(this.#records, this.#ownListId());
  }

  /** Chosen when it is first needed, which for most blobs is never. */
  #ownListId(): Uint8Array {
    this.#listId ??= crypto.getRandomValues(new Uint8Array(LIST_ID_BYTES));
    return this.#listId;
  }

  async #push(chunk: ChunkMeta): Promise<void> {
    if (this.#buffer === undefined) {
      this.#buffer = new ChunkListBuffer(SEGMENT_CHUNKS);
      if (this.#first !== undefined) this.#buffer.push(this.#first);
    }
    if (this.#buffer.isFull) await this.#flushSegment(this.#buffer);
    this.#buffer.push(chunk);
  }

  async #flushSegment(buffer: ChunkListBuffer): Promise<void> {
    const listId = this.#ownListId();
    const segment = { id: listId, number: this.#segmentOffsets.length };
    this.#segmentOffsets.push(this.#partOffset);
    this.#partOffset = this.#offset;
    await this.#records.write([
      UNFINISHED_LISTS.put(listId, undefined),
      LIST_SEGMENTS.put(segment, buffer.take()),
    ]);
  }
}

/** Whether a blob has a list, all parts of which can be read; one that is damaged is replaced. */
async function isIntact(records: RecordStore, blob: B3Digest): Promise<boolean> {
  try {
    let found = false;
    for await (const _ of new LevelChunkListStore(records).read(blob, 0)) found = true;
    return found;
  } catch (error) {
    if (CastoreError.is(error) && (error.code === "CORRUPT" || error.code === "INCOMPLETE")) return false;
    throw error;
  }
}

async function removeList(records: RecordStore, listId: Uint8Array): Promise<void> {
  const removals: RecordChange[] = [];
  for await (const { key } of LIST_SEGMENTS.entries(records, listId)) {
    removals.push(LIST_SEGMENTS.remove(key));
  }
  await records.write([...removals, UNFINISHED_LISTS.remove(listId)]);
}
