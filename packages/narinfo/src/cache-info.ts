import { NarInfoError } from "./errors.ts";
import { joinFields, splitFields } from "./fields.ts";
import { PublicKey } from "./keys/public-key.ts";

/** What a binary cache says of itself, in `nix-cache-info`. */
export interface CacheInfo {
  /** Where the store paths of the cache lie: `/nix/store` nearly always. */
  readonly storeDir: string;
  /** Whether clients may ask for many paths at once. Default false. */
  readonly wantMassQuery?: boolean;
  /** Lower is asked first; cache.nixos.org has 40. */
  readonly priority?: number;
  /** Where many paths can be asked for in one request, relative to the cache: `/get-narinfos-v1`. */
  readonly getNarInfosV1?: string;
  /** Where files are searched for by their names, relative to the cache, as this store announces it: `/index/files`. */
  readonly fileIndex?: string;
  /**
   * Keys with which the paths of the cache are signed, as this store announces them: for people and their tools, who
   * decide whether to trust them. Nix looks at no such field.
   */
  readonly publicKeys?: readonly PublicKey[];
}

/** Most digits of a priority. */
const PRIORITY = /^[0-9]{1,9}$/;

/**
 * Writes `nix-cache-info`.
 *
 * @throws NarInfoError INVALID_CACHE_INFO for what nobody could read: a store directory that is no absolute path, a
 *   priority that is no whole number from 0 of at most nine digits, a line break
 */
export function formatCacheInfo(info: CacheInfo): string {
  const { storeDir, wantMassQuery, priority, getNarInfosV1, fileIndex, publicKeys = [] } = info;
  const values: Readonly<Record<string, string | number | undefined>> = {
    StoreDir: storeDir,
    WantMassQuery: wantMassQuery === undefined ? undefined : Number(wantMassQuery),
    Priority: priority,
    GetNarInfosV1: getNarInfosV1,
    FileIndex: fileIndex,
    PublicKeys: publicKeys.length === 0 ? undefined : publicKeys.join(" "),
  };
  const fields = Object.entries(values).filter(([, value]) => value !== undefined);
  const text = asCacheInfo(() => joinFields(fields.map(([name, value]) => [name, String(value)])));
  parseCacheInfo(text);
  return text;
}

/**
 * Reads `nix-cache-info`; unknown fields are left out.
 *
 * @throws NarInfoError INVALID_CACHE_INFO
 */
export function parseCacheInfo(text: string): CacheInfo {
  const fields = new Map(asCacheInfo(() => splitFields(text)));
  const storeDir = fields.get("StoreDir");
  if (storeDir?.startsWith("/") !== true) throw invalid("StoreDir is no absolute path");
  const mass = fields.get("WantMassQuery");
  const priority = fields.get("Priority");
  const getNarInfosV1 = fields.get("GetNarInfosV1");
  const fileIndex = fields.get("FileIndex");
  if (priority !== undefined && !PRIORITY.test(priority)) throw invalid("Priority is no number");
  return {
    storeDir,
    ...(mass === undefined ? {} : { wantMassQuery: mass === "1" }),
    ...(priority === undefined ? {} : { priority: Number(priority) }),
    ...(getNarInfosV1 === undefined ? {} : { getNarInfosV1 }),
    ...(fileIndex === undefined ? {} : { fileIndex }),
    ...publishedKeys(fields.get("PublicKeys")),
  };
}

/** Lines that are none are those of no nix-cache-info. */
function asCacheInfo<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new NarInfoError("INVALID_CACHE_INFO", (cause as Error).message, { cause });
  }
}

/** Keys that cannot be read are as if they had not been announced. */
function publishedKeys(text: string | undefined): Pick<CacheInfo, "publicKeys"> {
  try {
    const keys = (text ?? "").split(" ").filter((key) => key !== "");
    return keys.length === 0 ? {} : { publicKeys: keys.map((key) => PublicKey.parse(key)) };
  } catch {
    return {};
  }
}

function invalid(why: string): NarInfoError {
  return new NarInfoError("INVALID_CACHE_INFO", `not a nix-cache-info: ${why}`);
}
