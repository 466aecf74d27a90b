import { CastoreError } from "../errors/castore-error.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CHUNK_LISTS, CHUNKS, CONDEMNED, type Content, DIRECTORIES } from "../records/tables.ts";

/** The key of the record of a piece of content. */
export function recordKeyOf({ kind, digest }: Content): Uint8Array {
  if (kind === "chunk") return CHUNKS.keyOf(digest);
  return kind === "blob" ? CHUNK_LISTS.keyOf(digest) : DIRECTORIES.keyOf(digest);
}

/**
 * The record of a piece of content for somebody who is going to rely on it: what is condemned is taken back, and
 * what cannot be taken back counts as absent. Whatever this returns stays for as long as collections wait
 * between their two looks.
 */
export async function claim(records: RecordStore, content: Content): Promise<Uint8Array | undefined> {
  const [key, markKey] = [recordKeyOf(content), CONDEMNED.keyOf(content)];
  // The mark first: what is there after that, without one, has not been condemned before.
  const [mark, value] = await records.getMany([markKey, key]);
  if (value === undefined || mark === undefined) return value;
  return await takeBack(records, { key, markKey, value, mark });
}

/** A record that is condemned. */
interface CondemnedRecord {
  readonly key: Uint8Array;
  readonly markKey: Uint8Array;
  readonly value: Uint8Array;
  readonly mark: Uint8Array;
}

/** Removes a mark, unless the collection is quicker and removes both. */
async function takeBack(records: RecordStore, found: CondemnedRecord): Promise<Uint8Array | undefined> {
  const { key, markKey } = found;
  let [value, mark]: (Uint8Array | undefined)[] = [found.value, found.mark];
  while (value !== undefined && mark !== undefined) {
    const conditions = [
      { key, value },
      { key: markKey, value: mark },
    ];
    try {
      if (await records.write([{ type: "del", key: markKey }], conditions)) return value;
    } catch (error) {
      if (isUnwritable(error)) return undefined;
      throw error;
    }
    [mark, value] = await records.getMany([markKey, key]);
  }
  return value;
}

/** Where nothing can be written, nobody is going to rely on anything either. */
function isUnwritable(error: unknown): boolean {
  return CastoreError.is(error) && ["NO_SPACE", "STORAGE_FAILURE", "READ_ONLY"].includes(error.code);
}

/** Records that are looked up at a time. */
const TOGETHER = 256;

/** As {@link claim}, for many: what there is of each, in their order. */
export async function claimMany(
  records: RecordStore,
  contents: readonly Content[],
): Promise<readonly (Uint8Array | undefined)[]> {
  const claimed: (Uint8Array | undefined)[] = [];
  for (let start = 0; start < contents.length; start += TOGETHER) {
    const some = contents.slice(start, start + TOGETHER);
    const keys = some.map((content) => ({ key: recordKeyOf(content), markKey: CONDEMNED.keyOf(content) }));
    const found = await records.getMany(keys.flatMap(({ key, markKey }) => [markKey, key]));
    for (const [index, { key, markKey }] of keys.entries()) {
      const [mark, value] = found.slice(2 * index, 2 * index + 2);
      const isCondemned = value !== undefined && mark !== undefined;
      claimed.push(isCondemned ? await takeBack(records, { key, markKey, value, mark }) : value);
    }
  }
  return claimed;
}

/** As {@link claimMany}. @returns the first that is not there, undefined when all are */
export async function claimAll(
  records: RecordStore,
  contents: readonly Content[],
): Promise<Content | undefined> {
  for (let start = 0; start < contents.length; start += TOGETHER) {
    const some = contents.slice(start, start + TOGETHER);
    const missing = (await claimMany(records, some)).indexOf(undefined);
    if (missing >= 0) return some[missing];
  }
  return undefined;
}
