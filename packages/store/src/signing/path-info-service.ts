import type { OperationOptions } from "@tvix/castore";
import { fingerprint, type SecretKey } from "@tvix/narinfo";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";

/** Signs what is put, unless it has this key's signature already. */
export class SigningPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #key: SecretKey;

  constructor(inner: PathInfoService, key: SecretKey) {
    this.#inner = inner;
    this.#key = key;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(digest, options);
  }

  async put(info: PathInfo, options: OperationOptions = {}): Promise<PathInfo> {
    const signature = this.#key.sign(fingerprint(info));
    const signed = info.signatures.some((known) => known.equals(signature));
    const signatures = signed ? info.signatures : [...info.signatures, signature];
    return await this.#inner.put({ ...info, signatures }, options);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}
