import { Option } from "commander";
import { entryOfAddress } from "../compose/registry.ts";
import { SERVICE_KINDS, type ServiceKind } from "../compose/service-kind.ts";
import { parsedSecret } from "./repeatable.ts";

/** Where the services are unless told otherwise: a daemon on this machine. */
export const DEFAULT_SERVICE_ADDRESS = "grpc+http://localhost:8000";

/** Where each of the services is, where something else is said than of all of them. */
export interface ServiceAddresses {
  readonly blobServiceAddr?: string;
  readonly directoryServiceAddr?: string;
  readonly pathInfoServiceAddr?: string;
}

/** The options of {@link ServiceAddresses}. */
export function serviceAddressOptions(): readonly Option[] {
  return [
    addressOption("--blob-service-addr", "BLOB_SERVICE_ADDR", "where blobs are, unless with the others", [
      "blob",
    ]),
    addressOption("--directory-service-addr", "DIRECTORY_SERVICE_ADDR", "where directories are, likewise", [
      "directory",
    ]),
    addressOption("--path-info-service-addr", "PATH_INFO_SERVICE_ADDR", "where path infos are, likewise", [
      "path-info",
    ]),
  ];
}

/** The option that says where all services are. */
export function storeAddressOption(): Option {
  return addressOption("--service-addr", "TVIX_STORE_ADDR", "where all services are", SERVICE_KINDS).default(
    DEFAULT_SERVICE_ADDRESS,
  );
}

/** An address of all services of a store. @throws RangeError that names the part that is wrong */
export function parseStoreAddress(text: string): string {
  return checked(text, SERVICE_KINDS);
}

/** An address of services of some kinds, which is read again when they are opened. */
function checked(address: string, kinds: readonly ServiceKind[]): string {
  for (const kind of kinds) entryOfAddress(kind, address);
  return address;
}

function addressOption(
  flag: string,
  variable: string,
  description: string,
  kinds: readonly ServiceKind[],
): Option {
  const forms =
    "grpc+http(s)://host:port, grpc+unix:///path, level:///path, postgres://…, memory://, cache://…";
  const option = new Option(`${flag} <address>`, `${description}: ${forms}`).env(variable);
  return option.argParser((text) => parsedSecret(option.flags, text, (address) => checked(address, kinds)));
}
