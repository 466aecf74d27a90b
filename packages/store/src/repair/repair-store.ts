import {
  type Content,
  ContentMender,
  type LocatedFault,
  locateFaults,
  removeIncompleteDirectories,
  removeRecord,
  removeUnreadable,
  unhurried,
  type VerifyOptions,
} from "@tvix/castore/backend";
import { type BrokenRoot, brokenRoots } from "../verify/broken-roots.ts";
import type { VerifiedStoreCounts } from "../verify/verification.ts";
import { brokenRecords } from "../verify/verify-store.ts";
import { PathMender } from "./mend-path.ts";
import { quarantine, releasePaths } from "./quarantine.ts";
import type { RepairSource, RepairStep, StoreRepairParts } from "./repair.ts";

/**
 * Looks through a store and mends what is wrong: searches for chunks of which only the records are lost, stores again what
 * sources have, and has what cannot be mended count as absent. Others may read, write and collect meanwhile.
 *
 * @param sources are asked in their order
 * @param counts are counted up while it goes on
 */
export async function* repairStore(
  hurried: StoreRepairParts,
  sources: readonly RepairSource[],
  counts: VerifiedStoreCounts,
  options: VerifyOptions = {},
): AsyncGenerator<RepairStep, void, undefined> {
  const parts = unhurried(hurried);
  const contents = new ContentMender(parts, sources);
  const paths = new PathMender(parts, contents, sources);
  const search = new LostChunks(parts);
  yield* repairContents(parts, contents, search, counts, options);
  for await (const located of brokenRecords(parts, options)) yield* dropRecord(parts, located);
  yield* releasePaths(parts, paths, options);
  for await (const root of brokenRoots(parts, counts, options)) {
    yield* search.once();
    yield* repairRoot(parts, paths, root, options);
  }
  if ((await parts.checkJournal?.()) === false) {
    await parts.renewJournal?.();
    yield { action: "mended", name: "journal", text: "all records are written down again" };
  }
}

async function* repairContents(
  parts: StoreRepairParts,
  mender: ContentMender,
  search: LostChunks,
  counts: VerifiedStoreCounts,
  options: VerifyOptions,
): AsyncGenerator<RepairStep, void, undefined> {
  let hasBrokenDirectories = false;
  for await (const located of locateFaults(parts, counts, options)) {
    const { fault, content } = located;
    yield* search.once();
    // Those below may come yet.
    if (content?.kind === "directory") hasBrokenDirectories = true;
    if (content === undefined) {
      yield* dropRecord(parts, located);
      continue;
    }
    const name = `${content.kind} ${content.digest}`;
    if (await mender.content(content, options)) yield { action: "mended", name, text: "stored again" };
    else if (await remove(parts, content, options)) yield { action: "removed", name, text: fault.text };
  }
  const removed = hasBrokenDirectories ? await removeIncompleteDirectories(parts.records, options) : 0;
  if (removed > 0) {
    yield { action: "removed", name: "directories", text: `${removed} directories lacked others below them` };
  }
}

async function remove(parts: StoreRepairParts, content: Content, options: VerifyOptions): Promise<boolean> {
  if (content.kind === "chunk") return await parts.forgetDamagedChunk(content.digest);
  return await removeUnreadable(parts.records, content, options);
}

/** A search for chunks that costs a read of everything, so it is done once, and where something is wrong only. */
class LostChunks {
  readonly #parts: StoreRepairParts;
  #isDone = false;

  constructor(parts: StoreRepairParts) {
    this.#parts = parts;
  }

  async *once(): AsyncGenerator<RepairStep, void, undefined> {
    if (this.#isDone) return;
    this.#isDone = true;
    const found = await this.#parts.findLostChunks();
    if (found > 0) yield { action: "mended", name: "chunks", text: `${found} chunks were found again` };
  }
}

async function* dropRecord(
  { records }: StoreRepairParts,
  { fault, record }: LocatedFault,
): AsyncGenerator<RepairStep, void, undefined> {
  if (record === undefined || !(await removeRecord(records, record))) return;
  yield { action: "removed", name: fault.name, text: fault.text };
}

async function* repairRoot(
  parts: StoreRepairParts,
  paths: PathMender,
  root: BrokenRoot,
  options: VerifyOptions,
): AsyncGenerator<RepairStep, void, undefined> {
  const { type, name, node, faults, digest, info } = root;
  const text = faults.map((fault) => fault.text).join("; ");
  const isMended =
    digest === undefined ? await paths.contents(node, options) : await paths.mend(digest, info, options);
  if (isMended) yield { action: "mended", name, text };
  else if (type === "path") {
    if (!(await quarantine(parts, root))) return;
    yield { action: "quarantined", name, text };
  } else if (node === undefined) yield* dropPin(parts, root, text);
  else yield { action: "lost", name, text };
}

/** A pin that cannot be read keeps nothing; one of a path that is not there may be of use again. */
async function* dropPin(
  { records }: StoreRepairParts,
  { name, record, faults }: BrokenRoot,
  text: string,
): AsyncGenerator<RepairStep, void, undefined> {
  const isDamaged = faults.some(({ kind }) => kind === "damaged");
  if (!isDamaged || record === undefined) yield { action: "lost", name, text };
  else if (await removeRecord(records, record)) yield { action: "removed", name, text };
}
