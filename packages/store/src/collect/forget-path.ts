import type { OperationOptions } from "@tvix/castore";
import { type ContentCounts, removeContents } from "@tvix/castore/backend";
import type { StorePath } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import { removeFromFileIndex } from "../file-index/sweep-index.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import { PATH_INFOS, PINS, QUARANTINED, USES } from "../records/tables.ts";
import { contentsOf, type StoreCollectionParts } from "./collect-store.ts";

/** How a path is forgotten. */
export interface ForgetOptions extends OperationOptions {
  /** Whether all that refer to it go too. Default: then it stays. */
  readonly withReferrers?: boolean;
}

/** What was forgotten. */
export interface Forgotten {
  readonly paths: readonly StorePath[];
  /** Contents that nothing else uses; they are removed. */
  readonly removed: ContentCounts;
}

/** Referrers and pins that a message names. */
const SHOWN = 10;

/**
 * Removes a store path at once, with all contents that only it used: for what must not be here any longer.
 *
 * @returns undefined when there is no such path
 * @throws StoreError IN_USE when it is pinned, or others refer to it
 * @throws CastoreError LOCKED when somebody collects
 */
export async function forgetPath(
  parts: StoreCollectionParts,
  storePath: StorePath,
  options: ForgetOptions = {},
): Promise<Forgotten | undefined> {
  const { records } = parts;
  const info = await PATH_INFOS.get(records, storePath.digest);
  if (info === undefined) return await forgetQuarantined(parts, storePath, options);
  // Another one that has its digest.
  if (!info.storePath.equals(storePath)) return undefined;
  let going = await withReferrers(parts, info, options);
  await checkPins(parts, going);
  const begin = async () => {
    // Somebody may have referred to it since.
    going = await withReferrers(parts, info, options);
    const uses = await records.getMany(going.map(({ storePath: path }) => USES.keyOf(path.digest)));
    await checkPins(parts, going);
    for (const [index, { storePath: path }] of going.entries()) {
      const { digest } = path;
      const changes = [PATH_INFOS, USES, QUARANTINED].map((table) => table.remove(digest));
      // Whoever pins it writes that it is wanted.
      if (!(await records.write(changes, [{ key: USES.keyOf(path.digest), value: uses[index] }]))) {
        throw new StoreError("IN_USE", `${path.toAbsolute()} was used at this moment: try again`);
      }
      parts.usage?.forget(path.digest);
      await parts.onPathRemoved?.(path.digest);
    }
    return going.map(({ node }) => node);
  };
  const removed = await removeContents(contentsOf(parts, options), begin, options);
  for (const gone of going) await removeFromFileIndex(records, gone.storePath.digest, options);
  await parts.removeLeftovers?.(records);
  return { paths: going.map(({ storePath: path }) => path), removed };
}

/** A path that counts as absent already: what is left of its contents goes too. */
async function forgetQuarantined(
  parts: StoreCollectionParts,
  storePath: StorePath,
  options: ForgetOptions,
): Promise<Forgotten | undefined> {
  const { records } = parts;
  const { digest } = storePath;
  const record = await QUARANTINED.get(records, digest);
  if (record === undefined) return undefined;
  const info = PATH_INFOS.decode(digest, record);
  if (info !== undefined && !info.storePath.equals(storePath)) return undefined;
  const begin = async () => {
    await records.write([QUARANTINED.remove(digest)]);
    return info === undefined ? [] : [info.node];
  };
  const removed = await removeContents(contentsOf(parts, options), begin, options);
  await removeFromFileIndex(records, digest, options);
  return { paths: [storePath], removed };
}

/** A path, and all that refer to it, directly or not. */
async function withReferrers(
  { records }: StoreCollectionParts,
  info: PathInfo,
  options: ForgetOptions,
): Promise<readonly PathInfo[]> {
  const going = new Map([[`${info.storePath}`, info]]);
  for (let known = 0; known < going.size; ) {
    known = going.size;
    for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
      const other = entry.value();
      if (other.references.some((reference) => going.has(`${reference}`)))
        going.set(`${other.storePath}`, other);
    }
    if (going.size > 1 && options.withReferrers !== true) break;
  }
  const [, ...referrers] = [...going.values()];
  if (referrers.length === 0 || options.withReferrers === true) return [...going.values()];
  const shown = referrers.slice(0, SHOWN).map(({ storePath }) => storePath.toAbsolute());
  const text = `${info.storePath.toAbsolute()} is referred to by ${shown.join(", ")}`;
  throw new StoreError(
    "IN_USE",
    referrers.length > SHOWN ? `${text} and ${referrers.length - SHOWN} more` : text,
  );
}

async function checkPins({ records }: StoreCollectionParts, going: readonly PathInfo[]): Promise<void> {
  const paths = new Set(going.map(({ storePath }) => `${storePath}`));
  for await (const entry of PINS.entries(records)) {
    const target = entry.value();
    if (target.type !== "path" || !paths.has(`${target.storePath}`)) continue;
    throw new StoreError("IN_USE", `${target.storePath.toAbsolute()} is pinned as ${entry.key()}`);
  }
}
