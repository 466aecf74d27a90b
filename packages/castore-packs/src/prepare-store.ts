import { forgetCollector, rebuildChunkIndex, removeExpiredUploads } from "@tvix/castore/backend";
import { forgetCleanEnd, readCleanEnd } from "./clean-end.ts";
import { checkFormat, noteFormat } from "./format.ts";
import type { OpenIndex } from "./open-index.ts";
import type { PackExtents } from "./pack-extents.ts";
import { removeScratch } from "./scratch.ts";

/** What is done before a store is used. */
export async function prepareStore(
  path: string,
  { records, unwritable, found }: OpenIndex,
  extents: PackExtents,
  { onNotice }: { readonly onNotice?: (text: string) => void },
): Promise<void> {
  if (found === "rebuilt")
    onNotice?.(`the index of ${path} was missing, and was made again from its journal`);
  if ((await checkFormat(records)) === "new") {
    const chunks = await rebuildChunkIndex(extents, records);
    if (chunks > 0 || found === "partly-rebuilt") onNotice?.(partlyRebuilt(path, chunks, found));
    await records.write([noteFormat()]);
  }
  if (unwritable !== undefined) return;
  await removeScratch(path);
  await forgetCollector(records);
  await removeExpiredUploads(records);
  const clean = await readCleanEnd(records);
  if (clean === undefined) return;
  await forgetCleanEnd(records);
  await extents.resume(clean);
}

function partlyRebuilt(path: string, chunks: number, found: OpenIndex["found"]): string {
  const lost =
    found === "new"
      ? "directories, path infos and the lists of long files are lost, and come back when they are stored again"
      : "a part of its journal is lost, and what there was of it is kept beside it: `tvix-store verify` tells what is not whole";
  return `the index of ${path} was missing: ${chunks} chunks were found in its packs and indexed again; ${lost}`;
}
