import type { OperationOptions } from "@tvix/castore";
import { mapConcurrently } from "@tvix/castore";
import { type ImportServices, storeClosure } from "@tvix/store/node";
import type { LocalNixStore, LocalPath } from "./local-nix-store.ts";

/** What a push has done so far. */
export interface PushProgress {
  /** Paths of the closure. */
  readonly paths: number;
  /** Those of them that are there already. */
  readonly present: number;
  /** Those that were left out, as others have them: by the keys they are signed with. */
  readonly skipped: number;
  /** Those that have been stored. */
  readonly stored: number;
  /** Bytes of files that have been read for that. */
  readonly bytes: number;
  /** Lengths of the NARs of all that are to be stored. */
  readonly narBytes: number;
}

/** Options of {@link pushPaths}. */
export interface PushOptions extends OperationOptions {
  /** Names of keys: paths that one of them has signed are left out, as whoever needs them has them from there. Default none. */
  readonly skipSignedBy?: readonly string[];
  readonly onProgress?: (progress: PushProgress) => void;
}

/** Paths that are asked for at a time. */
const ASKED_AT_ONCE = 32;

/**
 * Stores paths of the store of Nix, references first, but for what is there already.
 *
 * @param closure such as {@link LocalNixStore.closure} gives it
 * @throws StoreError NAR_HASH_MISMATCH when files are others than Nix registered
 */
export async function pushPaths(
  closure: readonly LocalPath[],
  store: Pick<LocalNixStore, "fileOf">,
  services: ImportServices,
  { signal, skipSignedBy = [], onProgress = () => {} }: PushOptions = {},
): Promise<PushProgress> {
  const keys = new Set(skipSignedBy);
  const wanted = closure.filter(({ signatures }) => !signatures.some(({ name }) => keys.has(name)));
  const missing: LocalPath[] = [];
  const asked = mapConcurrently(wanted, ASKED_AT_ONCE, async (info) => ({
    info,
    isThere: (await services.pathInfoService.get(info.storePath.digest, { signal }))?.narHash.equals(
      info.narHash,
    ),
  }));
  for await (const { info, isThere } of asked) if (isThere !== true) missing.push(info);
  let progress: PushProgress = {
    paths: closure.length,
    present: wanted.length - missing.length,
    skipped: closure.length - wanted.length,
    stored: 0,
    bytes: 0,
    narBytes: missing.reduce((sum, { narSize }) => sum + narSize, 0),
  };
  onProgress(progress);
  const stored = await storeClosure(missing, services, {
    signal,
    fileOf: (path) => store.fileOf(path),
    onProgress: (done) => {
      progress = { ...progress, ...done };
      onProgress(progress);
    },
  });
  return { ...progress, stored };
}
