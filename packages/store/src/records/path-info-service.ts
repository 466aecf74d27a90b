import { isDamage, type OperationOptions, type RecordStore, type TableEntry } from "@tvix/castore";
import { claimedWhole } from "@tvix/castore/backend";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import {
  checkPathDigest,
  type PathInfoService,
  type PutPathInfoOptions,
} from "../path-info/path-info-service.ts";
import { PATH_INFOS, QUARANTINED } from "./tables.ts";

/** PathInfos as records, each with a checksum. */
export class RecordPathInfoService implements PathInfoService {
  readonly #records: RecordStore;

  /** @param records of the store that has the contents */
  constructor(records: RecordStore) {
    this.#records = records;
  }

  async get(digest: Uint8Array, { signal }: OperationOptions = {}): Promise<PathInfo | undefined> {
    checkPathDigest(digest);
    signal?.throwIfAborted();
    try {
      return await PATH_INFOS.get(this.#records, digest);
    } catch (cause) {
      throw damaged(digest, cause);
    }
  }

  async put(info: PathInfo, { signal, reconcile }: PutPathInfoOptions = {}): Promise<PathInfo> {
    const { digest } = info.storePath;
    signal?.throwIfAborted();
    const change = (known: PathInfo | undefined) => (reconcile === undefined ? info : reconcile(known, info));
    // Contents that are in this store stay, now that something refers to them.
    const stored = await PATH_INFOS.update(this.#records, digest, change, ({ node }) =>
      claimedWhole(this.#records, node),
    );
    // What was set aside of it is of no use any more.
    if (await QUARANTINED.has(this.#records, digest)) await this.#records.write([QUARANTINED.remove(digest)]);
    return stored;
  }

  async *list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    for await (const entry of PATH_INFOS.entries(this.#records, undefined, options)) yield open(entry);
  }
}

function open(entry: TableEntry<Uint8Array, PathInfo>): PathInfo {
  try {
    return entry.value();
  } catch (cause) {
    throw damaged(entry.key(), cause);
  }
}

/** What a record that cannot be read is to a caller; other failures are what they are. */
function damaged(digest: Uint8Array, cause: unknown): unknown {
  if (!isDamage(cause)) return cause;
  const subject = `store path ${encodeNixbase32(digest)}`;
  return new StoreError("CORRUPT", `the record of ${subject} is damaged`, { cause });
}
