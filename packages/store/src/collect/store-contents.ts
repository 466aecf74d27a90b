import type { Node, OperationOptions, RecordStore } from "@tvix/castore";
import { inBatches, type Marker, type SecondLook } from "@tvix/castore/backend";
import { CALCULATED_NARS, NAR_LENGTHS, NAR_PLANS, NARS, type NarPlanKey } from "../records/nar-tables.ts";
import { nodeOfKey } from "../records/node-key.ts";
import { PATH_INFOS, PINS, QUARANTINED, USES } from "../records/tables.ts";

/** Whether a store path is looked at as one that is there. Default: each is. */
export type IsThere = (digest: Uint8Array) => Promise<boolean>;

/**
 * Marks all that store paths, pins and NARs without a path reach.
 *
 * @throws CastoreError CORRUPT when one of their records is damaged: nobody knows what it reaches
 */
export async function markStore(
  records: RecordStore,
  marker: Marker,
  options: OperationOptions & { readonly isThere?: IsThere | undefined } = {},
): Promise<void> {
  const { isThere = async () => true } = options;
  for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
    if (await isThere(entry.key())) await marker.node(entry.value().node);
  }
  // A path that lacks something may get it yet.
  for await (const entry of QUARANTINED.entries(records, undefined, options)) {
    const info = PATH_INFOS.decode(entry.key(), entry.value());
    if (info !== undefined) await marker.node(info.node);
  }
  for await (const entry of PINS.entries(records, undefined, options)) {
    const target = entry.value();
    if (target.type === "node") await marker.node(target.node);
  }
  // One that lasts belongs to a path; the others wait for theirs, until they expire.
  for await (const entry of NARS.entries(records, undefined, options)) {
    const { node, time } = entry.value();
    if (time !== 0) await marker.node(node);
  }
}

/** Removes what was known of NARs and paths that are no longer there. */
export async function sweepStore(
  records: RecordStore,
  look: SecondLook,
  options: OperationOptions = {},
): Promise<void> {
  for await (const entry of NARS.entries(records, undefined, options)) {
    const { node, time } = entry.value();
    if (time === 0 && !(await look.isKept(node))) await look.write([entry.remove()], [entry.isUnchanged()]);
  }
  for (const table of [CALCULATED_NARS, NAR_LENGTHS]) {
    for await (const entry of table.entries(records, undefined, options)) {
      const node: Node | undefined = nodeOfKey(entry.key());
      if (node === undefined || !(await look.isKept(node))) await look.write([entry.remove()]);
    }
  }
  await sweepPlans(records, look, options);
  for await (const batch of inBatches(USES.entries(records, undefined, options), TOGETHER)) {
    const infos = await records.getMany(batch.map((entry) => PATH_INFOS.keyOf(entry.key())));
    await look.write(batch.filter((_, index) => infos[index] === undefined).map((entry) => entry.remove()));
  }
}

/** Removes plans of what is no longer there; of the others one segment is looked at. */
async function sweepPlans(records: RecordStore, look: SecondLook, options: OperationOptions): Promise<void> {
  for (let after: NarPlanKey | undefined; ; ) {
    const entry = await firstOf(NAR_PLANS.entries(records, undefined, { ...options, after }));
    if (entry === undefined) return;
    const key = entry.findKey();
    if (key === undefined) {
      await look.write([entry.remove()]);
      continue;
    }
    const node = nodeOfKey(key.node);
    if (node === undefined || !(await look.isKept(node))) {
      for await (const batch of inBatches(NAR_PLANS.entries(records, key.node, options), TOGETHER)) {
        await look.write(batch.map((segment) => segment.remove()));
      }
    }
    after = { node: key.node, number: LAST_NUMBER };
  }
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** No segment has a higher one. */
const LAST_NUMBER = 0xffff_ffff;

/** Records that are removed together. */
const TOGETHER = 1000;
