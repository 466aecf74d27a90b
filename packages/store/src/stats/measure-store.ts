import type { OperationOptions, RecordStore, TableEntry } from "@tvix/castore";
import { type ContentStats, measureContents, UnhurriedRecordStore } from "@tvix/castore/backend";
import type { PathInfo } from "../path-info/path-info.ts";
import { PATH_INFOS, PINS, QUARANTINED } from "../records/tables.ts";

/** What a store has. */
export interface StoreStats extends ContentStats {
  readonly paths: number;
  /** Paths that are not offered, since not all of them is there. */
  readonly quarantined: number;
  readonly pins: number;
  /** Of the NARs of all paths. */
  readonly narBytes: number;
}

/** Counts what is stored, by looking at every record. Damaged ones count as such, or not at all. */
export async function measureStore(
  hurried: RecordStore,
  options: OperationOptions = {},
): Promise<StoreStats> {
  const records = new UnhurriedRecordStore(hurried);
  let [paths, narBytes] = [0, 0];
  for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
    const info = infoOf(entry);
    paths++;
    narBytes += Number(info?.narSize ?? 0);
  }
  return {
    ...(await measureContents(records, options)),
    paths,
    narBytes,
    quarantined: await QUARANTINED.count(records, options),
    pins: await PINS.count(records, options),
  };
}

/**
 * Some path infos, each as likely as the others.
 *
 * @param most how many; fewer where there are not so many
 */
export async function samplePaths(
  records: RecordStore,
  most: number,
  options: OperationOptions = {},
): Promise<readonly PathInfo[]> {
  const sample: PathInfo[] = [];
  let seen = 0;
  for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
    const info = infoOf(entry);
    if (info === undefined) continue;
    seen++;
    // The newcomer takes the place of any of those before it, or of none.
    const place = Math.floor(Math.random() * seen);
    if (sample.length < most) sample.push(info);
    else if (place < most) sample[place] = info;
  }
  return sample;
}

function infoOf(entry: TableEntry<Uint8Array, PathInfo>): PathInfo | undefined {
  const digest = entry.findKey();
  const { value } = entry.isUnchanged();
  return digest && value && PATH_INFOS.decode(digest, value);
}
