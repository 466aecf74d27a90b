import type { OperationOptions } from "@tvix/castore";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoClaim, PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";
import type { PathUsage } from "./path-usage.ts";

/** The same path infos; those that are asked for, or put, count as used. */
export class UsedPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #usage: PathUsage;

  constructor(inner: PathInfoService, usage: PathUsage) {
    this.#inner = inner;
    this.#usage = usage;
  }

  async get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    const found = await this.#inner.get(digest, options);
    if (found !== undefined) this.#usage.note(digest);
    return found;
  }

  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    const stored = await this.#inner.put(info, options);
    this.#usage.note(stored.storePath.digest);
    return stored;
  }

  async checkPut(claim: PathInfoClaim, options: OperationOptions = {}): Promise<void> {
    await this.#inner.checkPut?.(claim, options);
  }

  async forget(digest: Uint8Array): Promise<void> {
    this.#usage.forget(digest);
    await this.#inner.forget?.(digest);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}
