import { DEFAULT_MAX_MESSAGE_BYTES } from "@tvix/castore-grpc";
import { contentsOfSideFiles, copyCacheRecords } from "@tvix/nar-bridge";
import { copyContents, copyPaths, StoreError } from "@tvix/store";
import { Pins } from "@tvix/store/collect";
import { type Command, Option } from "commander";
import type { OpenComposition } from "../compose/open-composition.ts";
import { copyProgress } from "./copy-progress.ts";
import { mebibytes } from "./maintained-store.ts";
import { print } from "./output.ts";
import { integer } from "./parse.ts";
import { addPeerOptions, type PeerCommandOptions } from "./peer-options.ts";
import { parsedSecret, UsageError } from "./repeatable.ts";
import { parseStoreAddress } from "./service-address.ts";
import { withStoreAt } from "./services.ts";

interface MigrateOptions extends PeerCommandOptions {
  readonly from: string;
  readonly to: string;
  readonly json?: boolean;
}

const FROM = "--from <address>";
const TO = "--to <address>";

/** `tvix-store migrate`: everything of a store into another one, such as a data directory into a cluster and back. */
export function addMigrateCommand(program: Command): void {
  const command = program
    .command("migrate")
    .description(
      "copy all of a store into another one: paths, pins, logs; what is there stays, and what was interrupted goes on",
    )
    .requiredOption(FROM, "level:///path, postgres://… or grpc+http(s)://host:port", (text) =>
      parsedSecret(FROM, text, parseStoreAddress),
    )
    .requiredOption(TO, "likewise; it may serve meanwhile", (text) =>
      parsedSecret(TO, text, parseStoreAddress),
    )
    .option("--json", "print what was copied as an object")
    .addOption(
      new Option("--max-message-bytes <bytes>", "longest directory that is sent, or taken from a server")
        .env("TVIX_STORE_MAX_MESSAGE_BYTES")
        .argParser(integer(64 << 10, 1 << 30))
        .default(DEFAULT_MAX_MESSAGE_BYTES),
    );
  addPeerOptions(command).action(migrate);
}

async function migrate(options: MigrateOptions): Promise<void> {
  const { from, to, json = false } = options;
  if (from === to) throw new UsageError("a store is not copied into itself");
  // One token is for one server: the one that is written to.
  await withStoreAt(from, { ...options, showsNoToken: true, create: false }, async (source) => {
    await withStoreAt(to, { ...options, create: true }, async (destination) => {
      const progress = await copyProgress((onProgress) =>
        copyPaths(source.pathInfoService.list(), source, destination, { onProgress }),
      );
      const rest = await copyRest(source, destination);
      if (json) return await print(`${JSON.stringify({ ...progress, ...rest })}\n`);
      const { paths, copiedPaths, sentBytes } = progress;
      const more = rest === undefined ? "" : `, ${rest.pins} pins, ${rest.sideFiles} logs and other files`;
      process.stderr.write(`copied ${copiedPaths} of ${paths} paths, ${mebibytes(sentBytes)}${more}\n`);
      if (rest !== undefined) return;
      process.stderr.write(
        "pins, logs and what narinfos say besides were left out: they are copied between level:///path and postgres://…\n",
      );
    });
  });
}

/** What no path leads to; undefined where one of the stores is that of a server, which does not tell. */
async function copyRest(source: OpenComposition, destination: OpenComposition) {
  const [from] = source.openStores;
  const [to] = destination.openStores;
  if (from === undefined || to === undefined) return undefined;
  const [records, others] = [from.store.database, to.store.database];
  const copied = { pins: 0 };
  const pins = new Pins(others);
  for await (const { name, target } of new Pins(records).list()) {
    if (target.type === "node") await copyContents([target.node], source, destination);
    try {
      await pins.set(name, target);
      copied.pins++;
    } catch (error) {
      // Of a path that is not there.
      if (!StoreError.is(error) || error.code !== "MISSING_REFERENCES") throw error;
    }
  }
  for await (const { node } of contentsOfSideFiles(records)) await copyContents([node], source, destination);
  return { ...copied, ...(await copyCacheRecords(records, others)) };
}
