import type { OperationOptions } from "@tvix/castore";
import { type Database, keyOf, keyPrefix, seal, unseal } from "@tvix/castore/level";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import { decodePathInfo, encodePathInfo } from "../path-info/format.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import { checkPathDigest, type PathInfoService } from "../path-info/path-info-service.ts";

/** Key prefix of path infos; the digest of the store path follows. */
const PATH_INFO = keyPrefix("p1");

/** PathInfos in a Level database: each one record, with a checksum. */
export class LevelPathInfoService implements PathInfoService {
  readonly #database: Database;

  /** @param database of the store that has the contents */
  constructor(database: Database) {
    this.#database = database;
  }

  async get(digest: Uint8Array, { signal }: OperationOptions = {}): Promise<PathInfo | undefined> {
    checkPathDigest(digest);
    signal?.throwIfAborted();
    const key = keyOf(PATH_INFO, digest);
    const sealed = await this.#database.get(key);
    return sealed === undefined ? undefined : open(key, sealed);
  }

  async put(info: PathInfo, { signal }: OperationOptions = {}): Promise<PathInfo> {
    const key = keyOf(PATH_INFO, info.storePath.digest);
    const value = seal(key, encodePathInfo(info));
    signal?.throwIfAborted();
    await this.#database.write([{ type: "put", key, value }]);
    return info;
  }

  async *list({ signal }: OperationOptions = {}): AsyncIterable<PathInfo> {
    for await (const [key, sealed] of this.#database.entries(keyOf(PATH_INFO))) {
      signal?.throwIfAborted();
      yield open(key, sealed);
    }
  }
}

function open(key: Uint8Array, sealed: Uint8Array): PathInfo {
  const subject = `store path ${encodeNixbase32(key.subarray(PATH_INFO.length))}`;
  try {
    return decodePathInfo(unseal(key, sealed, subject));
  } catch (cause) {
    throw new StoreError("CORRUPT", `the record of ${subject} is damaged`, cause);
  }
}
