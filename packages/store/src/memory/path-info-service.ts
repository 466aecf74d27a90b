import type { OperationOptions } from "@tvix/castore";
import { encodeHex } from "@tvix/nix-compat";
import type { PathInfo } from "../path-info/path-info.ts";
import { checkPathDigest, type PathInfoService } from "../path-info/path-info-service.ts";

/** PathInfos in memory. */
export class MemoryPathInfoService implements PathInfoService {
  readonly #infos: Map<string, PathInfo> = new Map();

  async get(digest: Uint8Array, { signal }: OperationOptions = {}): Promise<PathInfo | undefined> {
    checkPathDigest(digest);
    signal?.throwIfAborted();
    return this.#infos.get(encodeHex(digest));
  }

  async put(info: PathInfo, { signal }: OperationOptions = {}): Promise<PathInfo> {
    signal?.throwIfAborted();
    this.#infos.set(encodeHex(info.storePath.digest), info);
    return info;
  }

  async *list({ signal }: OperationOptions = {}): AsyncIterable<PathInfo> {
    for (const info of this.#infos.values()) {
      signal?.throwIfAborted();
      yield info;
    }
  }
}
