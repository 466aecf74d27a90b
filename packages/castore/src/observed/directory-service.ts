import type { DirectoryService } from "../directory/directory-service.ts";
import { CallObserver, done, foundOrMissing, type ObserveCall } from "./observe.ts";

/** The same directories; whoever observes is told of each call. */
export function observedDirectoryService(inner: DirectoryService, observe: ObserveCall): DirectoryService {
  const observer = new CallObserver(observe);
  return {
    maxDirectoryBytes: inner.maxDirectoryBytes,
    get: (digest, options) => observer.call("get", foundOrMissing, () => inner.get(digest, options)),
    getRecursive: (digest, options) =>
      observer.stream("getRecursive", () => inner.getRecursive(digest, options)),
    put: (directory, options) => observer.call("put", done, () => inner.put(directory, options)),
    putMany: (directories, options) =>
      observer.call("putMany", done, () => inner.putMany(directories, options)),
  };
}
