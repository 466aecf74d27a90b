import {
  BlobService as SnixBlobService,
  DirectoryService as SnixDirectoryService,
} from "@tvix/protocol/snix/castore";
import { BlobService, DirectoryService } from "@tvix/protocol/tvix/castore";

/** Under which names a peer serves: those of tvix, or those of snix. The messages are the same. */
export type Namespace = "tvix" | "snix";

/** Both of them. */
export const NAMESPACES: readonly Namespace[] = ["tvix", "snix"];

/** The service of a name space, seen as that of tvix: only names differ. */
export function blobServiceOf(namespace: Namespace): typeof BlobService {
  return namespace === "tvix" ? BlobService : (SnixBlobService as unknown as typeof BlobService);
}

/** The service of a name space, seen as that of tvix: only names differ. */
export function directoryServiceOf(namespace: Namespace): typeof DirectoryService {
  return namespace === "tvix"
    ? DirectoryService
    : (SnixDirectoryService as unknown as typeof DirectoryService);
}
