import { CastoreError } from "@tvix/castore";
import type { PathInfoService } from "../path-info/path-info-service.ts";

/** The same path infos, to which none are added: a put fails with CastoreError READ_ONLY. */
export function readOnlyPathInfoService(inner: PathInfoService): PathInfoService {
  const refuse = () => Promise.reject(new CastoreError("READ_ONLY", "this store takes no path infos"));
  return {
    get: (digest, options) => inner.get(digest, options),
    list: (options) => inner.list(options),
    put: refuse,
    checkPut: refuse,
  };
}
