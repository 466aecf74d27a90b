import type { OperationOptions } from "@tvix/castore";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoClaim, PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";

/** Missing references that a message names. */
const SHOWN = 10;

/** Takes only path infos whose references are there already, other than to themselves. */
export class ReferencesPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;

  constructor(inner: PathInfoService) {
    this.#inner = inner;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(digest, options);
  }

  /** @throws StoreError MISSING_REFERENCES */
  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    await this.#check(info, options);
    return await this.#inner.put(info, options);
  }

  async checkPut(claim: PathInfoClaim, options: OperationOptions = {}): Promise<void> {
    await this.#check(claim, options);
    await this.#inner.checkPut?.(claim, options);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }

  async #check({ storePath, references }: PathInfoClaim, options: OperationOptions): Promise<void> {
    const missing: string[] = [];
    for (const reference of references) {
      if (reference.equals(storePath)) continue;
      const found = await this.#inner.get(reference.digest, options);
      if (found === undefined || !found.storePath.equals(reference)) missing.push(`${reference}`);
    }
    if (missing.length === 0) return;
    const shown = missing.slice(0, SHOWN).join(", ");
    throw new StoreError("MISSING_REFERENCES", `${storePath} refers to what is not here: ${shown}`);
  }
}
