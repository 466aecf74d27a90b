import { resolve } from "node:path";
import { DEFAULT_MAX_MESSAGE_BYTES } from "@tvix/castore-grpc";
import { openStore } from "@tvix/castore-packs";
import { type Command, Option } from "commander";
import type { Composition } from "../compose/composition.ts";
import { compositionOfAddresses, dataDirectoryAddress } from "../compose/from-addresses.ts";
import { type OpenComposition, openComposition } from "../compose/open-composition.ts";
import { storeServicesOf } from "../compose/store-services.ts";
import type { Services } from "../services.ts";
import {
  type CompositionOptions,
  compositionOfFile,
  compositionOption,
  experimentalCompositionOption,
} from "./composition-file.ts";
import { describeFailure } from "./failure.ts";
import { directory, integer } from "./parse.ts";
import { addPeerOptions, connectAs, type PeerCommandOptions } from "./peer-options.ts";
import { UsageError } from "./repeatable.ts";
import { type ServiceAddresses, serviceAddressOptions, storeAddressOption } from "./service-address.ts";
import { openShared } from "./shared-store.ts";

/** Which services a command works on. */
export interface ServiceOptions extends PeerCommandOptions, ServiceAddresses, CompositionOptions {
  /** Where those are for which nothing else is said. */
  readonly serviceAddr: string;
  /** A data directory instead of servers. */
  readonly data?: string;
}

/** Adds the options that say which services a command works on. */
export function addServiceOptions(command: Command): Command {
  const addresses = [
    "serviceAddr",
    "blobServiceAddr",
    "directoryServiceAddr",
    "pathInfoServiceAddr",
    "storeComposition",
    "experimentalStoreComposition",
  ];
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
  addPeerOptions(command.addOption(storeAddressOption()));
  for (const option of serviceAddressOptions()) command.addOption(option);
  return command
    .addOption(
      new Option("--data <directory>", "work directly on a data directory that no daemon has open").argParser(
        directory,
      ),
    )
    .addOption(compositionOption())
    .addOption(experimentalCompositionOption())
    .addOption(
      new Option("--max-message-bytes <bytes>", "longest directory that is sent, or taken from a server")
        .env("TVIX_STORE_MAX_MESSAGE_BYTES")
        .argParser(integer(64 << 10, 1 << 30))
        .default(DEFAULT_MAX_MESSAGE_BYTES),
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
  const given = { ...options, create };
  return await withComposition(compositionFor(options), given, (store) => use(storeServicesOf(store)));
}

/** How a store is opened. */
interface OpeningOptions extends PeerCommandOptions {
  /** Whether one is made where there is none. */
  readonly create: boolean;
}

/** Lets `use` work on the store whose services are all at one address. */
export async function withStoreAt<T>(
  address: string,
  options: OpeningOptions,
  use: (store: OpenComposition) => Promise<T>,
): Promise<T> {
  const composition = compositionOfAddresses({ blob: address, directory: address, "path-info": address });
  return await withComposition(composition, options, use);
}

async function withComposition<T>(
  composition: Composition,
  options: OpeningOptions,
  use: (store: OpenComposition) => Promise<T>,
): Promise<T> {
  const onNotice = (text: string) => void process.stderr.write(`tvix-store: ${text}\n`);
  const { create, namespace, maxMessageBytes: maxDirectoryBytes } = options;
  await using store = await openComposition(composition, {
    openStore: (path) => openStore(path, { create, onNotice, maxDirectoryBytes }),
    openSharedStore: (address) => openShared(address, { create, maxDirectoryBytes }),
    connect: (peer) => connectAs(peer, options),
    namespace,
    maxDirectoryBytes,
    log: { warn: ({ err }: { err?: unknown }, text) => onNotice(`${text}: ${describeFailure(err)}`) },
  });
  return await use(store);
}

/** The store that a command works on. */
function compositionFor(options: ServiceOptions): Composition {
  if (options.data !== undefined) {
    const address = dataDirectoryAddress(resolve(options.data));
    return compositionOfAddresses({ blob: address, directory: address, "path-info": address });
  }
  const { serviceAddr, blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr } = options;
  return (
    compositionOfFile(options) ??
    compositionOfAddresses({
      blob: blobServiceAddr ?? serviceAddr,
      directory: directoryServiceAddr ?? serviceAddr,
      "path-info": pathInfoServiceAddr ?? serviceAddr,
    })
  );
}
