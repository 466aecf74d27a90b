import type { ChunkMeta } from "../blob/blob-service.ts";
import type { ChunkListStore, ChunkListWriter, PlacedChunk } from "../blob/chunk-list-store.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { seal, unseal } from "./checksum.ts";
import {
  ChunkListBuffer,
  type ChunkListRecord,
  decodeChunks,
  decodeRecord,
  encodeRecord,
  LIST_ID_BYTES,
} from "./chunk-list-codec.ts";
import { type Database, keyOf, keyPrefix, type LevelOperation } from "./database.ts";

/** Key prefixes: the record of a blob, a segment of a list, a list that is being written. */
const BLOB = keyPrefix("b1");
const SEGMENT = keyPrefix("l1");
const UNFINISHED = keyPrefix("u1");

/** Chunks in a segment: 36 KiB, and at 256 KiB a chunk 256 MiB of blob. */
const SEGMENT_CHUNKS = 1024;

/**
 * Chunk lists in a Level database.
 *
 * A list is written in segments while the upload goes on, under an identifier of its own, so
 * that memory stays flat. The record that names them is written last. Segments that a crash
 * left without a record are removed by {@link removeUnfinished}.
 */
export class LevelChunkListStore implements ChunkListStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
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
    return new LevelChunkListWriter(this.#database);
  }

  /** Removes what uploads left behind that did not come to an end. Called before the first write. */
  async removeUnfinished(): Promise<void> {
    for await (const [key] of this.#database.entries(keyOf(UNFINISHED))) {
      await removeList(this.#database, key.subarray(UNFINISHED.length));
    }
  }

  async #record(blob: B3Digest): Promise<ChunkListRecord | undefined> {
    const key = keyOf(BLOB, blob.bytes);
    const sealed = await this.#database.get(key);
    return sealed === undefined ? undefined : decodeRecord(unseal(key, sealed, `blob ${blob}`));
  }

  async #part(blob: B3Digest, record: ChunkListRecord, index: number): Promise<Uint8Array> {
    if (index === record.segmentOffsets.length) return record.tail;
    const key = segmentKey(record.listId, index);
    const sealed = await this.#database.get(key);
    if (sealed === undefined) {
      throw new CastoreError("INCOMPLETE", `part ${index} of the chunk list of blob ${blob} is missing`, {
        subject: blob.toString(),
      });
    }
    return unseal(key, sealed, `part ${index} of the chunk list of blob ${blob}`);
  }
}

class LevelChunkListWriter implements ChunkListWriter {
  readonly #database: Database;
  #listId: Uint8Array | undefined;
  #buffer: ChunkListBuffer | undefined;
  #first: ChunkMeta | undefined;
  #count = 0;
  /** Place in the blob behind the last chunk. */
  #offset = 0;
  #partOffset = 0;
  readonly #segmentOffsets: number[] = [];

  constructor(database: Database) {
    this.#database = database;
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
    const key = keyOf(BLOB, blob.bytes);
    const listId = this.#ownListId();
    if (await isIntact(this.#database, blob)) {
      await this.abort();
      return;
    }
    const record = encodeRecord({
      count: this.#count,
      listId,
      segmentOffsets: this.#segmentOffsets,
      tailOffset: this.#partOffset,
      tail: this.#buffer?.take() ?? new Uint8Array(0),
    });
    await this.#database.write([
      { type: "put", key, value: seal(key, record) },
      { type: "del", key: keyOf(UNFINISHED, listId) },
    ]);
  }

  async abort(): Promise<void> {
    if (this.#segmentOffsets.length > 0) await removeList(this.#database, this.#ownListId());
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
    const key = segmentKey(listId, this.#segmentOffsets.length);
    this.#segmentOffsets.push(this.#partOffset);
    this.#partOffset = this.#offset;
    await this.#database.write([
      { type: "put", key: keyOf(UNFINISHED, listId), value: new Uint8Array(0) },
      { type: "put", key, value: seal(key, buffer.take()) },
    ]);
  }
}

/** Whether a blob has a list, all parts of which can be read; one that is damaged is replaced. */
async function isIntact(database: Database, blob: B3Digest): Promise<boolean> {
  try {
    let found = false;
    for await (const _ of new LevelChunkListStore(database).read(blob, 0)) found = true;
    return found;
  } catch (error) {
    if (CastoreError.is(error) && (error.code === "CORRUPT" || error.code === "INCOMPLETE")) return false;
    throw error;
  }
}

function segmentKey(listId: Uint8Array, index: number): Uint8Array {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, index);
  return keyOf(SEGMENT, listId, number);
}

async function removeList(database: Database, listId: Uint8Array): Promise<void> {
  const removals: LevelOperation[] = [];
  for await (const [key] of database.entries(keyOf(SEGMENT, listId))) removals.push({ type: "del", key });
  await database.write([...removals, { type: "del", key: keyOf(UNFINISHED, listId) }]);
}
