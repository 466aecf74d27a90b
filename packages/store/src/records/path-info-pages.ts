import type { OperationOptions, RecordStore } from "@tvix/castore";
import { encodeNixbase32 } from "@tvix/nix-compat";
import type { PathInfo } from "../path-info/path-info.ts";
import { PATH_INFOS } from "./tables.ts";

/** Which path infos are on a page. */
export interface PageRequest {
  /** What the digest begins with, in nixbase32 as paths have it. Default: anything. */
  readonly digestPrefix?: string;
  /** What the name has in it, upper and lower case alike. Default: anything. */
  readonly nameContains?: string;
  /** The digest of the path behind which the page begins, 20 bytes. Default: at the first one. */
  readonly after?: Uint8Array | undefined;
  /** Most path infos on it, at least 1. */
  readonly size: number;
}

/** Some path infos. */
export interface Page {
  readonly infos: readonly PathInfo[];
  /** Behind which the next page begins; undefined after the last one. */
  readonly next: Uint8Array | undefined;
}

/** Records that are looked at for one page, at most: a name may be rare. */
const MAX_LOOKED_AT = 20_000;

/** Length of the records on one page after which it ends, in bytes. */
const MAX_BYTES = 4 << 20;

/**
 * Path infos of a store in the order of their digests, page by page. The first digits of a path are the last bits of its
 * digest: those that begin with some digits lie anywhere among the others.
 */
export class PathInfoPages {
  readonly #records: RecordStore;

  /** @param records of the store that has the path infos */
  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** One page; damaged records are left out. It may be short, or empty, before the last one. */
  async page(
    { digestPrefix = "", nameContains = "", after, size }: PageRequest,
    options: OperationOptions = {},
  ): Promise<Page> {
    const infos: PathInfo[] = [];
    const wanted = nameContains.toLowerCase();
    let lookedAt = 0;
    let length = 0;
    let last: Uint8Array | undefined;
    for await (const entry of PATH_INFOS.entries(this.#records, undefined, { ...options, after })) {
      if (infos.length >= size || lookedAt >= MAX_LOOKED_AT || length >= MAX_BYTES)
        return { infos, next: last };
      lookedAt++;
      const digest = entry.findKey();
      if (digest === undefined) continue;
      last = digest;
      if (!encodeNixbase32(digest).startsWith(digestPrefix)) continue;
      const info = readable(() => entry.value());
      if (info?.storePath.name.toLowerCase().includes(wanted) !== true) continue;
      infos.push(info);
      length += entry.length;
    }
    return { infos, next: undefined };
  }
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // Whoever asks for the path itself is told that it is damaged.
    return undefined;
  }
}
