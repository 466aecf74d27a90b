import type { Bucket } from "./bucket.ts";
import type { ExtentRegistry } from "./extent-registry.ts";
import { nameOf, PACKS } from "./object-names.ts";

/** How long the upload of an object may take before it counts as given up, in milliseconds. */
export const ABANDONED_MS: number = 3_600_000;

/**
 * Removes objects, and parts of objects, whose uploads began long ago and did not end: of processes that are no more.
 * One that goes on all the same finds its extent sealed.
 *
 * @param abandonedMs how long ago at least, in milliseconds
 * @returns how many there were
 */
export async function removeAbandoned(
  bucket: Bucket,
  registry: ExtentRegistry,
  abandonedMs: number,
): Promise<number> {
  const before = Date.now() - abandonedMs;
  let count = 0;
  for await (const { name, id, begun } of bucket.unfinished(PACKS)) {
    if (begun.getTime() > before) continue;
    await bucket.abort(name, id);
    count++;
  }
  for await (const { extent, record } of registry.list()) {
    // One that was sealed before it was whole has been given up, and something of it may have come later.
    const isGivenUp = record.state === "sealed" && record.length === 0;
    if (record.begun > before || (record.state !== "begun" && !isGivenUp)) continue;
    // It may have become whole since it was read: then it is somebody's.
    if (!isGivenUp && !(await registry.sealAsFound(extent, record))) continue;
    await bucket.remove(nameOf(extent));
    await registry.remove(extent);
    count++;
  }
  return count;
}
