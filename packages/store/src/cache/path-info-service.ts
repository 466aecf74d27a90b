import type { OperationOptions } from "@tvix/castore";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";

/**
 * A near service in front of a far one: what was asked of the far one is kept in the near
 * one. Puts go to the far one first, so the near one never has what the far one has not got.
 */
export class CachePathInfoService implements PathInfoService {
  readonly #near: PathInfoService;
  readonly #far: PathInfoService;

  constructor(near: PathInfoService, far: PathInfoService) {
    this.#near = near;
    this.#far = far;
  }

  async get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    const kept = await this.#near.get(digest, options);
    if (kept !== undefined) return kept;
    const found = await this.#far.get(digest, options);
    return found === undefined ? undefined : await this.#near.put(found, options);
  }

  async put(info: PathInfo, options: OperationOptions = {}): Promise<PathInfo> {
    const stored = await this.#far.put(info, options);
    return await this.#near.put(stored, options);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#far.list(options);
  }
}
