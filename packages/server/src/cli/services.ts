import { resolve } from "node:path";
import { openStore } from "@tvix/castore/node";
import { type Command, Option } from "commander";
import { type Services, servicesOf } from "../services.ts";
import { directory, parsed } from "./parse.ts";
import { DEFAULT_SERVICE_ADDRESS, parseServiceAddress, type ServiceAddresses } from "./service-address.ts";

/** Which services a command works on. */
export interface ServiceOptions extends ServiceAddresses {
  /** A data directory instead of the three. */
  readonly data?: string;
}

/** Adds the options that say which services a command works on. */
export function addServiceOptions(command: Command): Command {
  return command
    .addOption(addressOption("--blob-service-addr", "BLOB_SERVICE_ADDR", "where blobs are"))
    .addOption(addressOption("--directory-service-addr", "DIRECTORY_SERVICE_ADDR", "where directories are"))
    .addOption(addressOption("--path-info-service-addr", "PATH_INFO_SERVICE_ADDR", "where path infos are"))
    .addOption(
      new Option("--data <directory>", "work directly on a data directory that no daemon has open")
        .argParser(directory)
        .conflicts(["blobServiceAddr", "directoryServiceAddr", "pathInfoServiceAddr"]),
    );
}

/** Lets `use` work with the services, and closes what they hold. */
export async function withServices<T>(
  options: ServiceOptions,
  use: (services: Services) => Promise<T>,
): Promise<T> {
  if (options.data !== undefined) {
    await using store = await openStore(resolve(options.data));
    return await use(servicesOf(store));
  }
  // What speaks gRPC takes a tenth of a second to load, which work on a directory does not need.
  const { openRemoteServices } = await import("./remote-services.ts");
  await using remote = openRemoteServices(options);
  return await use(remote.services);
}

function addressOption(flag: string, variable: string, description: string): Option {
  return new Option(`${flag} <address>`, `${description}: grpc+http://host:port or grpc+unix:///path`)
    .env(variable)
    .argParser((text) => parsed(text, parseServiceAddress))
    .default(parseServiceAddress(DEFAULT_SERVICE_ADDRESS), DEFAULT_SERVICE_ADDRESS);
}
