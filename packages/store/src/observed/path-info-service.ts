import type { ObserveCall } from "@tvix/castore";
import { CallObserver, done, foundOrMissing } from "@tvix/castore/backend";
import type { PathInfoService } from "../path-info/path-info-service.ts";

/** The same path infos; whoever observes is told of each call. */
export function observedPathInfoService(inner: PathInfoService, observe: ObserveCall): PathInfoService {
  const observer = new CallObserver(observe);
  return {
    get: (digest, options) => observer.call("get", foundOrMissing, () => inner.get(digest, options)),
    put: (info, options) => observer.call("put", done, () => inner.put(info, options)),
    list: (options) => observer.stream("list", () => inner.list(options)),
    ...(inner.checkPut === undefined
      ? {}
      : { checkPut: (claim, options) => inner.checkPut?.(claim, options) ?? Promise.resolve() }),
  };
}
