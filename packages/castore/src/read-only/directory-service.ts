import type { DirectoryService } from "../directory/directory-service.ts";
import { readOnly } from "./blob-service.ts";

/** The same directories, to which none are added: a put fails with READ_ONLY. */
export function readOnlyDirectoryService(inner: DirectoryService): DirectoryService {
  const { maxDirectoryBytes } = inner;
  return {
    ...(maxDirectoryBytes === undefined ? {} : { maxDirectoryBytes }),
    get: (digest, options) => inner.get(digest, options),
    getRecursive: (digest, options) => inner.getRecursive(digest, options),
    put: () => Promise.reject(readOnly("directories")),
    putMany: () => Promise.reject(readOnly("directories")),
  };
}
