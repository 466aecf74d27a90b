import type { OperationOptions, RecordStore } from "@tvix/castore";
import { PATH_INFOS } from "@tvix/store/records";
import { RecordSideFiles } from "./side-files/records.ts";
import { EXTRAS, SIDE_FILES } from "./tables.ts";

/** What was copied, and was not there. */
export interface CopiedRecords {
  readonly sideFiles: number;
  readonly extras: number;
}

/**
 * Copies what a binary cache keeps beside its paths, whose contents are there already: logs and other side files, and what
 * narinfos said besides, for the paths that are there. What the other store has of its own stays.
 */
export async function copyCacheRecords(
  from: RecordStore,
  to: RecordStore,
  options: OperationOptions = {},
): Promise<CopiedRecords> {
  let [sideFiles, extras] = [0, 0];
  const files = new RecordSideFiles(to);
  for await (const entry of SIDE_FILES.entries(from, undefined, options)) {
    const path = entry.key();
    if ((await files.get(path, options)) !== undefined) continue;
    await files.put(path, entry.value(), options);
    sideFiles++;
  }
  for await (const entry of EXTRAS.entries(from, undefined, options)) {
    const digest = entry.key();
    if (!(await PATH_INFOS.has(to, digest))) continue;
    if (await to.write([EXTRAS.put(digest, entry.value())], [EXTRAS.isAbsent(digest)])) extras++;
  }
  return { sideFiles, extras };
}
