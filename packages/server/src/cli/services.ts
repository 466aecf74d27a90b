import { resolve } from "node:path";
import type { Namespace } from "@tvix/castore/grpc";
import { openStore } from "@tvix/castore/node";
import { type Command, Option } from "commander";
import { type Services, servicesOf } from "../services.ts";
import { directory, parsed } from "./parse.ts";
import { DEFAULT_SERVICE_ADDRESS, parseServiceAddress, type ServiceAddresses } from "./service-address.ts";

/** Which services a command works on. */
export interface ServiceOptions extends ServiceAddresses {
  /** A data directory instead of the three. */
  readonly data?: string;
  /** Names under which the servers serve. */
  readonly namespace: Namespace | "auto";
}

/** Adds the options that say which services a command works on. */
export function addServiceOptions(command: Command): Command {
  return command
    .addOption(addressOption("--blob-service-addr", "BLOB_SERVICE_ADDR", "where blobs are"))
    .addOption(addressOption("--directory-service-addr", "DIRECTORY_SERVICE_ADDR", "where directories are"))
    .addOption(addressOption("--path-info-service-addr", "PATH_INFO_SERVICE_ADDR", "where path infos are"))
    .addOption(
      new Option(
        "--namespace <names>",
        "names of the services at these addresses: tvix.…, snix.…, or whichever they know",
      )
        .choices(["auto", "tvix", "snix"])
        .default("auto"),
    )
    .addOption(
      new Option("--data <directory>", "work directly on a data directory that no daemon has open")
        .argParser(directory)
        .conflicts(["blobServiceAddr", "directoryServiceAddr", "pathInfoServiceAddr"]),
    );
}

/**
 * Lets `use` read from the services, and closes what they hold.
 *
 * @throws CastoreError NOT_A_STORE when there is none in the data directory
 */
export async function withServices<T>(
  options: ServiceOptions,
  use: (services: Services) => Promise<T>,
): Promise<T> {
  return await usingServices(options, false, use);
}

/** The same for what stores something: a store is made where there is none. */
export async function withWritableServices<T>(
  options: ServiceOptions,
  use: (services: Services) => Promise<T>,
): Promise<T> {
  return await usingServices(options, true, use);
}

async function usingServices<T>(
  options: ServiceOptions,
  create: boolean,
  use: (services: Services) => Promise<T>,
): Promise<T> {
  if (options.data !== undefined) {
    const onNotice = (text: string) => void process.stderr.write(`tvix-store: ${text}\n`);
    await using store = await openStore(resolve(options.data), { create, onNotice });
    return await use(servicesOf(store));
  }
  // What speaks gRPC takes a tenth of a second to load, which work on a directory does not need.
  const { openRemoteServices } = await import("./remote-services.ts");
  await using remote = openRemoteServices(options, options.namespace);
  return await use(remote.services);
}

function addressOption(flag: string, variable: string, description: string): Option {
  return new Option(`${flag} <address>`, `${description}: grpc+http://host:port or grpc+unix:///path`)
    .env(variable)
    .argParser((text) => parsed(text, parseServiceAddress))
    .default(parseServiceAddress(DEFAULT_SERVICE_ADDRESS), DEFAULT_SERVICE_ADDRESS);
}
