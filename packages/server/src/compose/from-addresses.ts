import { type Composition, compositionOf } from "./composition.ts";
import { entryOfAddress } from "./registry.ts";
import type { ServiceKind } from "./service-kind.ts";

/** Where the services of each kind are. */
export type AddressOfKind = Readonly<Record<ServiceKind, string>>;

/** The store whose services are at some addresses. */
export function compositionOfAddresses(addresses: AddressOfKind): Composition {
  return compositionOf({
    blob: entryOfAddress("blob", addresses.blob),
    directory: entryOfAddress("directory", addresses.directory),
    "path-info": entryOfAddress("path-info", addresses["path-info"]),
  });
}

/** The address of the data directory at an absolute path. */
export function dataDirectoryAddress(path: string): string {
  return `level://${encodeURI(path).replaceAll("?", "%3F").replaceAll("#", "%23")}`;
}
