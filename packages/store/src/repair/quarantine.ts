import type { OperationOptions } from "@tvix/castore";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { PATH_INFOS, QUARANTINED } from "../records/tables.ts";
import type { BrokenRoot } from "../verify/broken-roots.ts";
import type { PathMender } from "./mend-path.ts";
import type { RepairStep, StoreRepairParts } from "./repair.ts";

/** Has a path count as absent; its record is kept. @returns whether it still was as it was found */
export async function quarantine(
  { records, onPathChanged }: StoreRepairParts,
  { digest, record }: Pick<BrokenRoot, "digest" | "record">,
): Promise<boolean> {
  if (digest === undefined || record?.value === undefined) return false;
  const changes = [PATH_INFOS.remove(digest), QUARANTINED.put(digest, record.value)];
  if (!(await records.write(changes, [record]))) return false;
  await onPathChanged?.(digest);
  return true;
}

/** Brings back the quarantined paths of which all is there again, or can be had. */
export async function* releasePaths(
  parts: StoreRepairParts,
  paths: PathMender,
  options: OperationOptions = {},
): AsyncGenerator<RepairStep, void, undefined> {
  const { records, onPathChanged } = parts;
  for await (const entry of QUARANTINED.entries(records, undefined, options)) {
    const digest = entry.key();
    const info = PATH_INFOS.decode(digest, entry.value());
    const name = info?.storePath.toAbsolute() ?? encodeNixbase32(digest);
    // Somebody has stored it again.
    const isThere = await PATH_INFOS.has(records, digest);
    if (!isThere && !(await paths.mend(digest, info, options))) {
      yield { action: "lost", name, text: "it is quarantined, and not all of it can be had" };
      continue;
    }
    if (info !== undefined && !isThere) await parts.pathInfoService.put(info, options);
    await records.write([entry.remove()], [entry.isUnchanged()]);
    await onPathChanged?.(digest);
    yield { action: "released", name, text: "all of it is there again" };
  }
}
