import type { OperationOptions } from "@tvix/castore";
import type { PublicKey } from "@tvix/narinfo";
import { StoreError } from "../errors/store-error.ts";
import type { NarCalculationService } from "../nar/calculate.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type {
  PathInfoClaim,
  PathInfoService,
  PutPathInfoOptions,
  ReconcilePathInfo,
} from "../path-info/path-info-service.ts";
import { type ContentServices, certifiesItself, checkContentAddress } from "./content-address.ts";
import { checkSignatures } from "./signatures.ts";

/** What path infos are compared with. */
export interface TrustServices extends ContentServices {
  readonly narCalculationService: NarCalculationService;
}

/**
 * Takes only path infos that are proved: their contents make the NAR that they state, and a trusted
 * key has signed it, or the name of the path follows from the contents. A signature is over the
 * NAR alone: without the first, a forged path could borrow one from a public cache.
 *
 * The NAR is calculated unless it is known; whoever has just taken it in can tell
 * ({@link NarCalculationService.keep}).
 */
export class TrustingPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #keys: readonly PublicKey[];
  readonly #services: TrustServices;

  constructor(inner: PathInfoService, trustedKeys: readonly PublicKey[], services: TrustServices) {
    this.#inner = inner;
    this.#keys = trustedKeys;
    this.#services = services;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(digest, options);
  }

  /** @throws StoreError UNTRUSTED, CONTENT_ADDRESS_MISMATCH, NAR_HASH_MISMATCH, NAR_SIZE_MISMATCH */
  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    const { reconcile } = options;
    if (reconcile === undefined) this.#checkClaim(info);
    await this.#checkContents(info, options);
    const isCertified = await checkContentAddress(this.#services, info, info.node, options);
    if (isCertified) return await this.#inner.put(info, options);
    if (reconcile === undefined) {
      checkSignatures(info, this.#keys);
      return await this.#inner.put(info, options);
    }
    // What is there may have the signatures that are wanted.
    const checked: ReconcilePathInfo = (known, put) => {
      const next = reconcile(known, put);
      checkSignatures(next, this.#keys);
      return next;
    };
    return await this.#inner.put(info, { ...options, reconcile: checked });
  }

  async checkPut(claim: PathInfoClaim, options: OperationOptions = {}): Promise<void> {
    this.#checkClaim(claim);
    await this.#inner.checkPut?.(claim, options);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }

  /** What certifies itself shows when the contents are looked at. */
  #checkClaim(claim: PathInfoClaim): void {
    if (!certifiesItself(claim)) checkSignatures(claim, this.#keys);
  }

  async #checkContents({ storePath, node, narHash, narSize }: PathInfo, options: OperationOptions) {
    const found = await this.#services.narCalculationService.calculateNar(node, options);
    if (!found.narHash.equals(narHash)) {
      const text = `the contents of ${storePath} make the NAR ${found.narHash}, not ${narHash}`;
      throw new StoreError("NAR_HASH_MISMATCH", text);
    }
    if (found.narSize !== narSize) {
      const text = `the contents of ${storePath} make a NAR of ${found.narSize} bytes, not ${narSize}`;
      throw new StoreError("NAR_SIZE_MISMATCH", text);
    }
  }
}
