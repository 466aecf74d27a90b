import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CastoreError } from "@tvix/castore";
import { packNumbersOf } from "./pack-directory.ts";

/** Files of LevelDB that have something in them. */
const CONTENT = /^(MANIFEST-\d+|\d+\.(ldb|sst|log))$/;

/** Files of a journal that are complete. */
const JOURNAL = /\.(journal|checkpoint)$/;

/** What is found in the folder of a store before anything is made there. */
export interface Found {
  /** Whether there is an index, a journal or a pack. */
  readonly store: boolean;
  readonly hasIndex: boolean;
  readonly hasJournal: boolean;
}

/**
 * Looks at the folder of a store before its index is opened: where the file that names the
 * current tables is missing, LevelDB would begin anew and remove all of them.
 *
 * @param isToBeRemade whether the index will be made anew, so that it need not be whole
 * @throws CastoreError CORRUPT that names the missing file
 */
export async function checkIndex(
  path: string,
  { isToBeRemade = false }: { readonly isToBeRemade?: boolean } = {},
): Promise<Found> {
  const index = await namesIn(join(path, "index"));
  const packs = packNumbersOf(await namesIn(join(path, "packs")));
  const journal = (await namesIn(join(path, "journal"))).filter((name) => JOURNAL.test(name));
  const content = index.filter((name) => CONTENT.test(name));
  // A process that ended while it made its first index has stored nothing.
  const isBegun = packs.length === 0 && journal.length === 0 && content.join() === "MANIFEST-000001";
  if (content.length > 0 && !isBegun && !index.includes("CURRENT") && !isToBeRemade) {
    throw new CastoreError(
      "CORRUPT",
      `${join(path, "index", "CURRENT")} is missing beside ${content.length} files of the index: ` +
        `\`tvix-store repair --data ${path}\` makes the index anew`,
      { subject: path },
    );
  }
  const store = content.length > 0 || packs.length > 0 || journal.length > 0;
  return { store, hasIndex: content.length > 0, hasJournal: journal.length > 0 };
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
