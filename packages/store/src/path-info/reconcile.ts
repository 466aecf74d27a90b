import type { OperationOptions } from "@tvix/castore";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "./path-info.ts";
import type { PathInfoService, PutPathInfoOptions } from "./path-info-service.ts";

/** What is known of a path; a damaged record is nothing, and is mended by whoever puts the path again. */
export async function getIntact(
  service: Pick<PathInfoService, "get">,
  digest: Uint8Array,
  options: OperationOptions,
): Promise<PathInfo | undefined> {
  try {
    return await service.get(digest, options);
  } catch (error) {
    if (StoreError.is(error) && error.code === "CORRUPT") return undefined;
    throw error;
  }
}

/**
 * Puts into a near service what is to be reconciled with what a far one has, where the near one has nothing: only
 * then the far one is asked.
 */
export async function putInFrontOf(
  far: Pick<PathInfoService, "get">,
  near: PathInfoService,
  info: PathInfo,
  { reconcile, ...options }: PutPathInfoOptions,
): Promise<PathInfo> {
  if (reconcile === undefined) return await near.put(info, options);
  const { digest } = info.storePath;
  const isNear = (await getIntact(near, digest, options)) !== undefined;
  const behind = isNear ? undefined : await getIntact(far, digest, options);
  return await near.put(info, { ...options, reconcile: (known, put) => reconcile(known ?? behind, put) });
}
