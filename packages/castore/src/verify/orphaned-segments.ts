import { encodeHex, equalBytes } from "@tvix/byte-stream";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { ChunkListRecord } from "../records/chunk-list-codec.ts";
import type { RecordStore } from "../records/record-store.ts";
import type { TableEntry } from "../records/table.ts";
import { CHUNK_LISTS, LIST_SEGMENTS, OLD_UPLOADS, UPLOADS } from "../records/tables.ts";
import type { LocatedFault } from "./fault.ts";

/** Lists of which the segments are kept in mind: one has 36 KiB of records for each, and nobody has so many. */
const MOST = 1_000_000;

/** Segments of chunk lists that no list names, and no upload will. */
export async function* orphanedSegments(
  records: RecordStore,
  options: OperationOptions = {},
): AsyncGenerator<LocatedFault, void, undefined> {
  const named = new Set<string>();
  for await (const entry of CHUNK_LISTS.entries(records, undefined, options)) {
    const list = listOf(entry);
    if (list !== undefined && list.segmentOffsets.length > 0 && named.size < MOST)
      named.add(encodeHex(list.listId));
  }
  let last: Uint8Array | undefined;
  for await (const entry of LIST_SEGMENTS.entries(records, undefined, options)) {
    const id = entry.findKey()?.id;
    if (id === undefined) continue;
    if (last !== undefined && equalBytes(last, id)) continue;
    last = id.slice();
    if (named.has(encodeHex(id)) || named.size >= MOST) continue;
    const isUpload = (await UPLOADS.has(records, id)) || (await OLD_UPLOADS.has(records, id));
    // Its upload may have ended since the lists were read.
    if (isUpload || !(await records.has(entry.isUnchanged().key)) || (await isNamedNow(records, id)))
      continue;
    const name = `l1 ${encodeHex(id)}`;
    const text = "a part of a chunk list that no blob has";
    yield { fault: { subject: "record", name, kind: "orphaned", text }, record: entry.isUnchanged() };
  }
}

async function isNamedNow(records: RecordStore, id: Uint8Array): Promise<boolean> {
  for await (const entry of CHUNK_LISTS.entries(records)) {
    const list = listOf(entry);
    if (list !== undefined && equalBytes(list.listId, id)) return true;
  }
  return false;
}

function listOf(entry: TableEntry<B3Digest, ChunkListRecord>): ChunkListRecord | undefined {
  const digest = entry.findKey();
  const { value } = entry.isUnchanged();
  return digest && value && CHUNK_LISTS.decode(digest, value);
}
