import { resolve } from "node:path";
import { openStore } from "@tvix/castore-packs";
import { type Command, Option } from "commander";
import { parseGrpcPeer } from "../compose/grpc-peer.ts";
import { LocalMaintenance } from "../maintenance/local-maintenance.ts";
import type { Maintenance } from "../maintenance/maintenance.ts";
import { servicesOf } from "../services.ts";
import { collectionDefaults, type GcOptions } from "./gc-options.ts";
import { directory, integer } from "./parse.ts";
import { addPeerOptions, connectAs, type PeerCommandOptions } from "./peer-options.ts";
import { parsedSecret } from "./repeatable.ts";
import { DEFAULT_SERVICE_ADDRESS } from "./service-address.ts";

/** Which store a command looks after. */
export interface StoreOptions extends PeerCommandOptions {
  readonly serviceAddr: string;
  readonly data?: string;
  readonly json?: boolean;
}

const ADDRESS = "--service-addr <address>";

/** Adds the options that say which store a command looks after. */
export function withStore(command: Command): Command {
  const address = new Option(
    ADDRESS,
    "the daemon whose store it is: grpc+http(s)://host:port, grpc+unix:///path",
  )
    .env("TVIX_STORE_ADDR")
    .default(DEFAULT_SERVICE_ADDRESS)
    .argParser((text) => parsedSecret(ADDRESS, text, checkedPeer));
  return addPeerOptions(command.addOption(address))
    .addOption(
      new Option("--data <directory>", "a data directory that no daemon has open").argParser(directory),
    )
    .addOption(
      new Option("--max-message-bytes <bytes>")
        .argParser(integer(64 << 10, 1 << 30))
        .default(32 << 20)
        .hideHelp(),
    )
    .option("--json", "print JSON, one object a line");
}

/** An address of a server, which is read again when it is connected to. */
function checkedPeer(address: string): string {
  parseGrpcPeer(address);
  return address;
}

/** Lets `use` look after a store. @throws CastoreError NOT_A_STORE, LOCKED */
export async function withMaintenance<T>(
  options: StoreOptions & GcOptions,
  use: (maintenance: Maintenance) => Promise<T>,
): Promise<T> {
  if (options.data !== undefined) {
    const onNotice = (text: string) => void process.stderr.write(`tvix-store: ${text}\n`);
    await using store = await openStore(resolve(options.data), { create: false, onNotice });
    return await use(new LocalMaintenance(store, servicesOf(store), collectionDefaults(options)));
  }
  const { GrpcMaintenance } = await import("../maintenance/grpc-maintenance.ts");
  await using transport = await connectAs(parseGrpcPeer(options.serviceAddr), options);
  return await use(new GrpcMaintenance(transport));
}

/** Bytes for people. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
