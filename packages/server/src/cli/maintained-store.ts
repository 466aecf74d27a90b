import { resolve } from "node:path";
import { CastoreError } from "@tvix/castore";
import { DEFAULT_MAX_MESSAGE_BYTES } from "@tvix/castore-grpc";
import { openStore, type Store } from "@tvix/castore-packs";
import { type Command, Option } from "commander";
import { type GrpcPeer, parseGrpcPeer } from "../compose/grpc-peer.ts";
import { sharedStoreOfRecords } from "../compose/shared-store-address.ts";
import { LocalMaintenance } from "../maintenance/local-maintenance.ts";
import type { Maintenance } from "../maintenance/maintenance.ts";
import type { RepairUpstream } from "../maintenance/repair-sources.ts";
import { servicesOf } from "../services.ts";
import { describeFailure } from "./failure.ts";
import { collectionDefaults, type GcOptions } from "./gc-options.ts";
import { directory, integer } from "./parse.ts";
import { addPeerOptions, connectAs, type PeerCommandOptions } from "./peer-options.ts";
import { endProgressLine } from "./progress-bar.ts";
import { UsageError } from "./repeatable.ts";
import { storeAddressOption } from "./service-address.ts";
import { openShared } from "./shared-store.ts";

/** Which store a command looks after. */
export interface StoreOptions extends PeerCommandOptions {
  readonly serviceAddr: string;
  readonly data?: string;
  readonly json?: boolean;
}

/** Adds the options that say which store a command looks after. */
export function withStore(command: Command): Command {
  command.hook("preAction", () => {
    const from = (name: string) => command.getOptionValueSource(name) ?? "";
    if (!["cli", "env"].includes(from("serviceAddr"))) return;
    // An address that was given is meant, whatever a file says; an address of the environment is for those who say nothing.
    if (from("data") === "config") command.setOptionValueWithSource("data", undefined, undefined);
    if (from("data") === "cli" && from("serviceAddr") === "cli") {
      throw new UsageError("option '--data' cannot be used with option '--service-addr'");
    }
  });
  return addPeerOptions(command.addOption(storeAddressOption()))
    .addOption(
      new Option("--data <directory>", "a data directory that no daemon has open").argParser(directory),
    )
    .addOption(
      new Option("--max-message-bytes <bytes>", "longest message that is taken from a server")
        .env("TVIX_STORE_MAX_MESSAGE_BYTES")
        .argParser(integer(64 << 10, 1 << 30))
        .default(DEFAULT_MAX_MESSAGE_BYTES),
    )
    .option("--json", "print JSON, one object a line");
}

/** A store is looked after by who has it open. @throws UsageError for an address of anything else */
function peerOf(address: string): GrpcPeer {
  try {
    return parseGrpcPeer(address);
  } catch (cause) {
    const text =
      "this looks after the store of a daemon, at an address such as grpc+http://host:port, a shared one at postgres://…, or one after --data";
    throw new UsageError(text, { cause });
  }
}

/** What only work on a data directory does. */
export interface DirectoryWork {
  /** When the index is made again. Default: never. */
  readonly remakesIndex?: "always" | "damaged";
  /** Who is asked for what the store has lost. */
  readonly repairUpstreams?: readonly RepairUpstream[];
}

/** Lets `use` look after a store. @throws CastoreError NOT_A_STORE, LOCKED */
export async function withMaintenance<T>(
  options: StoreOptions & GcOptions,
  use: (maintenance: Maintenance) => Promise<T>,
  work: DirectoryWork = {},
): Promise<T> {
  if (options.data !== undefined) return await withDirectory(resolve(options.data), options, work, use);
  if (/^postgres(ql)?:/.test(options.serviceAddr)) return await withShared(options, work, use);
  const { GrpcMaintenance } = await import("../maintenance/grpc-maintenance.ts");
  await using transport = await connectAs(peerOf(options.serviceAddr), options);
  return await use(new GrpcMaintenance(transport));
}

async function withDirectory<T>(
  path: string,
  options: StoreOptions & GcOptions,
  { remakesIndex, repairUpstreams = [] }: DirectoryWork,
  use: (maintenance: Maintenance) => Promise<T>,
): Promise<T> {
  const open = (remakeIndex: boolean) => openStore(path, { create: false, onNotice: notice, remakeIndex });
  await using store = await open(remakesIndex === "always").catch(async (error) => {
    if (remakesIndex !== "damaged" || !CastoreError.is(error) || error.code !== "CORRUPT") throw error;
    notice(`${error.message}; it is set aside, and made again`);
    return await open(true);
  });
  return await use(maintenanceOf(store, options, repairUpstreams));
}

async function withShared<T>(
  options: StoreOptions & GcOptions,
  { repairUpstreams = [] }: DirectoryWork,
  use: (maintenance: Maintenance) => Promise<T>,
): Promise<T> {
  const address = sharedStoreOfRecords(new URL(options.serviceAddr));
  await using store = await openShared(address, { create: false });
  return await use(maintenanceOf(store, options, repairUpstreams));
}

function maintenanceOf(
  store: Store,
  options: StoreOptions & GcOptions,
  repairUpstreams: readonly RepairUpstream[],
): Maintenance {
  const services = servicesOf(store);
  return new LocalMaintenance(store, services, {
    collection: collectionDefaults(options),
    async openRepairSources() {
      const { openRepairSources } = await import("../maintenance/repair-sources.ts");
      const connect = (peer: GrpcPeer) => connectAs(peer, options);
      return await openRepairSources(repairUpstreams, { services, connect, namespace: options.namespace });
    },
    onSourceFailure: (error) => notice(describeFailure(error)),
  });
}

function notice(text: string): void {
  endProgressLine();
  process.stderr.write(`tvix-store: ${text}\n`);
}

/** Bytes for people. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
