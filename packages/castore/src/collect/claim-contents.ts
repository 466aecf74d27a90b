import { type B3Digest, EMPTY_DIGEST } from "../digest/b3-digest.ts";
import { filesOf } from "../directory/directory.ts";
import type { Node } from "../directory/node.ts";
import { decodeDirectory } from "../directory/parse.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { RecordChunkListStore } from "../records/chunk-list-store.ts";
import type { RecordCondition, RecordStore } from "../records/record-store.ts";
import { isStill, readCollection } from "./collection-state.ts";
import { claim } from "./fence.ts";

/**
 * What has to hold for a record to be written that others reach contents by, such as a path info: what it names
 * stays. Before a second look everything that is written counts; while it goes on, all that lies below is
 * claimed.
 *
 * @throws CastoreError INCOMPLETE when part of the contents has been collected already
 */
export async function claimed(records: RecordStore, node: Node): Promise<RecordCondition> {
  const state = await readCollection(records);
  if (state.phase === "sweeping") await claimNode(records, node);
  return isStill(state);
}

/**
 * The same for what is refused when contents are missing, whenever they were collected: an upload may have begun
 * before a collection that is long over. Where none has ever been, contents may as well lie elsewhere.
 *
 * @throws as {@link claimed}
 */
export async function claimedWhole(records: RecordStore, node: Node): Promise<RecordCondition> {
  const state = await readCollection(records);
  if (state.number > 0) await claimNode(records, node);
  return isStill(state);
}

/** Claims a blob, with its chunks. @returns whether all of it is there */
export async function claimBlob(records: RecordStore, digest: B3Digest): Promise<boolean> {
  if (digest.equals(EMPTY_DIGEST)) return true;
  if (await new RecordChunkListStore(records).claim(digest)) return true;
  return (await claim(records, { kind: "chunk", digest })) !== undefined;
}

async function claimNode(records: RecordStore, node: Node): Promise<void> {
  if (node.type === "symlink") return;
  if (node.type === "file") return await claimFile(records, node.digest);
  const seen = new Set([node.digest.key]);
  const waiting = [node.digest];
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    const encoded = await claim(records, { kind: "directory", digest });
    if (encoded === undefined) throw collected(`directory ${digest}`);
    const directory = decodeDirectory(encoded, digest);
    for (const file of filesOf(directory)) await claimFile(records, file);
    for (const { node: child } of directory.children()) {
      if (seen.has(child.digest.key)) continue;
      seen.add(child.digest.key);
      waiting.push(child.digest);
    }
  }
}

async function claimFile(records: RecordStore, digest: B3Digest): Promise<void> {
  if (!(await claimBlob(records, digest))) throw collected(`blob ${digest}`);
}

function collected(what: string): CastoreError {
  return new CastoreError("INCOMPLETE", `${what} is not in the store: it was collected, or never put`);
}
