import { firstFound, type OperationOptions } from "@tvix/castore";
import { isFailureOfStore } from "../errors/failure-of-store.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoClaim, PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";
import { putInFrontOf } from "../path-info/reconcile.ts";

/**
 * A near service, and a far one that is asked for what the near one has not got. Nothing is copied, and
 * puts go to the near one.
 */
export class CombinedPathInfoService implements PathInfoService {
  readonly #near: PathInfoService;
  readonly #far: PathInfoService;

  constructor(near: PathInfoService, far: PathInfoService) {
    this.#near = near;
    this.#far = far;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return firstFound(
      [this.#near, this.#far].map((service) => () => service.get(digest, options)),
      isFailureOfStore,
    );
  }

  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    return await putInFrontOf(this.#far, this.#near, info, options);
  }

  async checkPut(claim: PathInfoClaim, options: OperationOptions = {}): Promise<void> {
    await this.#near.checkPut?.(claim, options);
  }

  /** What is near comes first, and then what only the far service has. */
  async *list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    yield* this.#near.list(options);
    for await (const info of this.#far.list(options)) {
      if ((await this.#near.get(info.storePath.digest, options)) === undefined) yield info;
    }
  }
}
