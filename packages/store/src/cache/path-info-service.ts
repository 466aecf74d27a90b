import { encodeHex } from "@tvix/byte-stream";
import { type CacheOptions, firstFound, InTurn, type OperationOptions, SingleFlight } from "@tvix/castore";
import { LRUCache } from "lru-cache";
import { isFailureOfStore } from "../errors/failure-of-store.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoClaim, PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";
import { putInFrontOf } from "../path-info/reconcile.ts";

/** How a {@link CachePathInfoService} behaves. */
export interface CachePathInfoOptions extends Omit<CacheOptions, "memory"> {
  /**
   * How long the far service is not asked again for what it has not got, in milliseconds, unless it is
   * put here. Default 0: it is asked each time.
   */
  readonly missingMs?: number | undefined;
}

/** Paths that are remembered to be missing. */
const MAX_MISSING = 20_000;

/**
 * A near service in front of a far one: what was asked of the far one is kept near, and what many ask
 * for at a time is asked for once. Puts go to the far service first unless told otherwise, so the near
 * one never has what the far one has not got. A near service that fails keeps nobody from reading.
 */
export class CachePathInfoService implements PathInfoService {
  readonly #near: PathInfoService;
  readonly #far: PathInfoService;
  readonly #writes: "near" | "far";
  readonly #onNearFailure: (error: unknown) => void;
  readonly #fetching = new SingleFlight<PathInfo | undefined>();
  /** What is kept near of a path follows what the far service was told: one after the other. */
  readonly #inTurn = new InTurn();
  readonly #missing: LRUCache<string, true> | undefined;

  constructor(near: PathInfoService, far: PathInfoService, options: CachePathInfoOptions = {}) {
    const { writes = "far", onNearFailure = () => {}, missingMs = 0 } = options;
    this.#near = near;
    this.#far = far;
    this.#writes = writes;
    this.#onNearFailure = onNearFailure;
    if (missingMs > 0) this.#missing = new LRUCache({ max: MAX_MISSING, ttl: missingMs });
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return firstFound(
      [() => this.#near.get(digest, options), () => this.#getFar(digest, options)],
      isFailureOfStore,
    );
  }

  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    const key = encodeHex(info.storePath.digest);
    const stored =
      this.#writes === "near"
        ? await putInFrontOf({ get: (digest) => this.#getFar(digest, options) }, this.#near, info, options)
        : await this.#inTurn.run(key, () => this.#putFar(info, options));
    this.#missing?.delete(key);
    return stored;
  }

  async checkPut(claim: PathInfoClaim, options: OperationOptions = {}): Promise<void> {
    await (this.#writes === "near" ? this.#near : this.#far).checkPut?.(claim, options);
  }

  /** After whatever is being kept of it. */
  async forget(digest: Uint8Array): Promise<void> {
    await this.#inTurn.run(encodeHex(digest), async () => await this.#near.forget?.(digest));
  }

  /** Where puts go near, what is there comes first, and then what only the far service has. */
  async *list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    if (this.#writes === "far") {
      yield* this.#far.list(options);
      return;
    }
    yield* this.#near.list(options);
    for await (const info of this.#far.list(options)) {
      if ((await this.#near.get(info.storePath.digest, options)) === undefined) yield info;
    }
  }

  async #getFar(digest: Uint8Array, options: OperationOptions): Promise<PathInfo | undefined> {
    const key = encodeHex(digest);
    if (this.#missing?.has(key) === true) return undefined;
    const fetch = async (signal: AbortSignal) => {
      const found = await this.#far.get(digest, { ...options, signal });
      if (found !== undefined) return await this.#keep(found, { signal });
      this.#missing?.set(key, true);
      return undefined;
    };
    const fetchInTurn = (signal: AbortSignal) => this.#inTurn.run(key, () => fetch(signal));
    return await this.#fetching.run(key, fetchInTurn, options.signal);
  }

  async #putFar(info: PathInfo, options: PutPathInfoOptions): Promise<PathInfo> {
    const { reconcile, ...kept } = options;
    return await this.#keep(await this.#far.put(info, options), kept);
  }

  /** Keeps near what the far service has; where that fails, it will be asked again. */
  async #keep(info: PathInfo, options: OperationOptions): Promise<PathInfo> {
    try {
      return await this.#near.put(info, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#onNearFailure(error);
      return info;
    }
  }
}
