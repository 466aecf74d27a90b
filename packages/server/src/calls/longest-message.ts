import type { DescMethod } from "@bufbuild/protobuf";
import { scopeNeeded } from "../admission/scope.ts";

/**
 * Longest request of a call that asks for something or tells what to do, in bytes: names, digests, and what later
 * versions may add.
 */
const QUESTION_BYTES = 64 << 10;

/** Questions that name many things at once. */
const LISTS: ReadonlySet<string> = new Set([
  "/tvix_ts.castore.v1.ChunkExchangeService/FindMissing",
  "/tvix_store_ext.v1.LookupService/HasMany",
  "/tvix_store_ext.v1.LookupService/GetMany",
  // All files that a copy has.
  "/tvix_store_ext.v1.MaintenanceService/Backup",
]);

/**
 * How long a message of a method may be, in bytes: one that brings something to be stored, or a list, as long as its service
 * says or else as long as any, all others as long as a question.
 *
 * @param own what its service says; undefined: nothing
 * @param most how long any may be
 */
export function longestMessage(method: DescMethod, own: number | undefined, most: number): number {
  const path = `/${method.parent.typeName}/${method.name}`;
  const isLong = scopeNeeded("POST", path) === "write" || LISTS.has(path);
  return Math.min(most, own ?? most, isLong ? most : QUESTION_BYTES);
}
