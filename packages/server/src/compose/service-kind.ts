import type { BlobService, DirectoryService } from "@tvix/castore";
import type { PathInfoService } from "@tvix/store";

/** What a service is of each kind. */
export interface ServiceOfKind {
  readonly blob: BlobService;
  readonly directory: DirectoryService;
  readonly "path-info": PathInfoService;
}

/** The kinds of services that a store is made of. */
export type ServiceKind = keyof ServiceOfKind;

/** All of them, in the order in which they build on one another. */
export const SERVICE_KINDS: readonly ServiceKind[] = ["blob", "directory", "path-info"];

/** The tables of a composition in which the services of a kind are declared. */
export const TABLE_OF_KIND: Readonly<Record<ServiceKind, string>> = {
  blob: "blobservices",
  directory: "directoryservices",
  "path-info": "pathinfoservices",
};
