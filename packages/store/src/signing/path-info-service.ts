import type { OperationOptions } from "@tvix/castore";
import { type Fingerprinted, fingerprint, type SecretKey, type Signature } from "@tvix/narinfo";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";

/** Signs what is put with each of some keys, unless it has that key's signature already. */
export class SigningPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #keys: readonly SecretKey[];

  constructor(inner: PathInfoService, keys: readonly SecretKey[]) {
    this.#inner = inner;
    this.#keys = keys;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(digest, options);
  }

  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    const { reconcile } = options;
    const signed = (one: PathInfo) => ({ ...one, signatures: signaturesWith(this.#keys, one) });
    if (reconcile === undefined) return await this.#inner.put(signed(info), options);
    return await this.#inner.put(info, {
      ...options,
      reconcile: (known, put) => signed(reconcile(known, put)),
    });
  }

  async forget(digest: Uint8Array): Promise<void> {
    await this.#inner.forget?.(digest);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}

/** The signatures of a path, and after them those that some keys make of it and that it has not got. */
export function signaturesWith(
  keys: readonly SecretKey[],
  info: Fingerprinted & { readonly signatures: readonly Signature[] },
): readonly Signature[] {
  const text = fingerprint(info);
  const added = keys
    .map((key) => key.sign(text))
    .filter((signature) => !info.signatures.some((known) => known.equals(signature)));
  return [...info.signatures, ...added];
}
