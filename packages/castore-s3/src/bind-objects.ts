import { encodeHex, equalBytes } from "@tvix/byte-stream";
import { CastoreError, type RecordStore } from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";
import { EXTENTS_ID } from "@tvix/castore-packs/backend";
import type { Bucket } from "./bucket.ts";
import type { ExtentRegistry } from "./extent-registry.ts";
import { fetchShort } from "./fetch-range.ts";
import { extentOf, PACKS } from "./object-names.ts";

/** The object that says which store the others belong to. */
export const MARKER = "store";

const ID_BYTES = 16;

/**
 * Makes sure that the objects below a prefix are those that the records tell of: the same random bytes stand in both. A
 * new store is given some.
 *
 * @param adopts whether objects of a store whose records are lost are taken over by records that know none
 * @throws CastoreError NOT_A_STORE when they do not belong together
 */
export async function bindObjects(
  bucket: Bucket,
  records: RecordStore,
  registry: ExtentRegistry,
  adopts: boolean,
): Promise<void> {
  const marker = await fetchShort(bucket, MARKER);
  const id = await FACTS.get(records, EXTENTS_ID);
  if (id !== undefined && marker !== undefined && equalBytes(id, marker)) return;
  if (id === undefined && (marker !== undefined || (await hasPacks(bucket)))) {
    if (!adopts) {
      throw refused(
        "there are objects of another store: name another prefix, or say adopt=1 if its records are lost",
      );
    }
    const same = marker ?? crypto.getRandomValues(new Uint8Array(ID_BYTES));
    await registry.adopt(packsOf(bucket), [FACTS.put(EXTENTS_ID, same)]);
    if (marker === undefined) await bucket.put(MARKER, same);
    return await bindObjects(bucket, records, registry, false);
  }
  if (id === undefined) {
    const fresh = crypto.getRandomValues(new Uint8Array(ID_BYTES));
    await records.write([FACTS.put(EXTENTS_ID, fresh)], [FACTS.isAbsent(EXTENTS_ID)]);
    return await bindObjects(bucket, records, registry, adopts);
  }
  // Of a store in which nothing lies yet, the one who began it may not have come to this.
  if (marker === undefined && (await registry.isNew())) {
    await bucket.put(MARKER, id);
    return;
  }
  throw refused(
    marker === undefined
      ? "the objects of this store are not there: is it another bucket or prefix?"
      : `the objects there belong to another store (${encodeHex(marker)}, and not ${encodeHex(id)})`,
  );
}

async function hasPacks(bucket: Bucket): Promise<boolean> {
  for await (const _ of packsOf(bucket)) return true;
  return false;
}

async function* packsOf(
  bucket: Bucket,
): AsyncGenerator<{ readonly extent: number; readonly length: number }, void, undefined> {
  for await (const { name, length } of bucket.list(PACKS)) {
    const extent = extentOf(name);
    if (extent !== undefined) yield { extent, length };
  }
}

function refused(message: string): CastoreError {
  return new CastoreError("NOT_A_STORE", message);
}
