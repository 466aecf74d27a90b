import { realpath, rename } from "node:fs/promises";
import { join } from "node:path";
import { CastoreError } from "@tvix/castore";
import { ClassicLevel } from "classic-level";
import { checkIndex } from "./check-index.ts";

/**
 * Moves the index of a store out of the way, so that it is made again; it stays beside, for whoever wants to look at it.
 * That of a store without a journal, which nothing can replace, LevelDB repairs as far as it can.
 *
 * @throws CastoreError LOCKED when another process has it open
 */
export async function setIndexAside(path: string, now: Date = new Date()): Promise<void> {
  const index = join(path, "index");
  const { hasIndex, hasJournal } = await checkIndex(path, { isToBeRemade: true });
  if (!hasIndex) return;
  await checkUnlocked(path, index);
  if (!hasJournal) await ClassicLevel.repair(index);
  else await rename(index, join(path, `index-set-aside-${now.toISOString().replaceAll(/[:.]/g, "-")}`));
}

/** LevelDB itself tells whether somebody has it open, whatever else is wrong with it. */
async function checkUnlocked(path: string, index: string): Promise<void> {
  const level = new ClassicLevel(await realpath(index), { createIfMissing: false });
  try {
    await level.open();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof Error && "code" in cause && cause.code === "LEVEL_LOCKED") {
      throw new CastoreError(
        "LOCKED",
        `${path} is in use by another process, or has been opened in this one`,
        { cause, subject: path },
      );
    }
  } finally {
    await level.close();
  }
}
