import { resolve } from "node:path";
import { DEFAULT_MAX_MESSAGE_BYTES, openStore } from "@tvix/castore/node";
import { type Command, Option } from "commander";
import { type Services, servicesOf } from "../services.ts";
import { directory, integer, parsed } from "./parse.ts";
import type { RemoteServiceOptions } from "./remote-services.ts";
import { UsageError } from "./repeatable.ts";
import { DEFAULT_SERVICE_ADDRESS, parseServiceAddress } from "./service-address.ts";

/** Which services a command works on. */
export interface ServiceOptions extends RemoteServiceOptions {
  /** A data directory instead of servers. */
  readonly data?: string;
}

/** Adds the options that say which services a command works on. */
export function addServiceOptions(command: Command): Command {
  const addresses = ["serviceAddr", "blobServiceAddr", "directoryServiceAddr", "pathInfoServiceAddr"];
  command.hook("preAction", () => {
    // An address that was given is meant, whatever a file says.
    const isGiven = (name: string) => ["cli", "env"].includes(command.getOptionValueSource(name) ?? "");
    if (command.getOptionValueSource("data") === "config" && addresses.some(isGiven)) {
      command.setOptionValueWithSource("data", undefined, undefined);
    }
    // What the environment says is for commands that say nothing themselves.
    if (command.getOptionValueSource("data") !== "cli") return;
    const other = addresses.find((name) => command.getOptionValueSource(name) === "cli");
    if (other === undefined) return;
    const flag = command.options.find((option) => option.attributeName() === other)?.long;
    throw new UsageError(`option '--data' cannot be used with option '${flag}'`);
  });
  return command
    .addOption(
      addressOption("--service-addr", "TVIX_STORE_ADDR", "where all services are").default(
        parseServiceAddress(DEFAULT_SERVICE_ADDRESS),
        DEFAULT_SERVICE_ADDRESS,
      ),
    )
    .addOption(
      addressOption("--blob-service-addr", "BLOB_SERVICE_ADDR", "where blobs are, unless with the others"),
    )
    .addOption(
      addressOption("--directory-service-addr", "DIRECTORY_SERVICE_ADDR", "where directories are, likewise"),
    )
    .addOption(
      addressOption("--path-info-service-addr", "PATH_INFO_SERVICE_ADDR", "where path infos are, likewise"),
    )
    .addOption(
      new Option(
        "--namespace <names>",
        "names of the services at these addresses: tvix.…, snix.…, or whichever they know",
      )
        .choices(["auto", "tvix", "snix"])
        .default("auto"),
    )
    .addOption(
      new Option("--data <directory>", "work directly on a data directory that no daemon has open").argParser(
        directory,
      ),
    )
    .addOption(
      new Option("--ca-file <file>", "certificates to believe on grpc+https, in PEM; default the system's")
        .env("TVIX_STORE_CA_FILE")
        .argParser(directory),
    )
    .addOption(
      new Option("--bearer-token-file <file>", "a token for the servers; or set TVIX_STORE_TOKEN")
        .env("TVIX_STORE_BEARER_TOKEN_FILE")
        .argParser(directory),
    )
    .addOption(
      new Option("--max-message-bytes <bytes>", "longest directory that is sent, or taken from a server")
        .env("TVIX_STORE_MAX_MESSAGE_BYTES")
        .argParser(integer(64 << 10, 1 << 30))
        .default(DEFAULT_MAX_MESSAGE_BYTES),
    )
    .addOption(
      new Option("--connect-timeout <seconds>", "time to connect to a server")
        .argParser(integer(1, 3600))
        .default(10),
    )
    .addOption(
      new Option("--stall-timeout <seconds>", "time for which a call may wait for a server that says nothing")
        .argParser(integer(1, 86_400))
        .default(900),
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
    const maxDirectoryBytes = options.maxMessageBytes;
    await using store = await openStore(resolve(options.data), { create, onNotice, maxDirectoryBytes });
    return await use(servicesOf(store));
  }
  // What speaks gRPC takes a tenth of a second to load, which work on a directory does not need.
  const { openRemoteServices } = await import("./remote-services.ts");
  await using remote = openRemoteServices(options);
  return await use(remote.services);
}

function addressOption(flag: string, variable: string, description: string): Option {
  return new Option(`${flag} <address>`, `${description}: grpc+http(s)://host:port or grpc+unix:///path`)
    .env(variable)
    .argParser((text) => parsed(text, parseServiceAddress));
}
