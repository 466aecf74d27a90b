import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { StorePath } from "@tvix/nix-compat";
import { type CopyProgress, copyPaths, type PathInfo } from "@tvix/store";
import { parseClosureJson, storeClosure } from "@tvix/store/node";
import type { Command } from "commander";
import type { Services } from "../services.ts";
import { copyProgress } from "./copy-progress.ts";
import { findPathInfo, parseStorePath } from "./object.ts";
import { print } from "./output.ts";
import { parsedSecret, UsageError } from "./repeatable.ts";
import { parseStoreAddress } from "./service-address.ts";
import { addServiceOptions, type ServiceOptions, withServices, withWritableServices } from "./services.ts";

interface CopyCommandOptions extends ServiceOptions {
  readonly from?: string;
  readonly to?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const FROM = "--from <address>";
const TO = "--to <address>";

/** `tvix-store copy`: paths with all that they refer to, from store to store, or from Nix's own. */
export function addCopyCommand(program: Command): void {
  const command = program
    .command("copy")
    .description(
      "copy store paths with all that they refer to, from one store to another; or those that a JSON file of Nix lists, from the file system",
    )
    .argument("[path...]", "store paths; without --from and --to the JSON file, or - for stdin")
    .option(FROM, "the store to copy from", (text) => parsedSecret(FROM, text, parseStoreAddress))
    .option(TO, "the store to copy to", (text) => parsedSecret(TO, text, parseStoreAddress))
    .option("--all", "copy everything that the store lists")
    .option("--json", "print what was copied as an object");
  addServiceOptions(command).action(async (names: readonly string[], options: CopyCommandOptions) => {
    if (options.from === undefined && options.to === undefined) await copyFromFileSystem(names, options);
    else await copyBetween(names, options);
  });
}

async function copyBetween(names: readonly string[], options: CopyCommandOptions): Promise<void> {
  const { from, to, all = false } = options;
  if (names.length === 0 && !all) throw new UsageError("name the paths to copy, or say --all");
  if (names.length > 0 && all) throw new UsageError("option '--all' is for everything: name no paths");
  const paths = names.map(storePath);
  // One token is for one server: the one that is written to.
  const showsNoToken = from !== undefined && to !== undefined;
  await withServices({ ...at(options, from), showsNoToken }, async (source) => {
    await withWritableServices(at(options, to), async (destination) => {
      const progress = await copyProgress((onProgress) =>
        copyPaths(all ? source.pathInfoService.list() : rootsOf(source, paths), source, destination, {
          onProgress,
        }),
      );
      await report(progress, options);
    });
  });
}

/** These arguments may be a file as well, so they are read here and not by whoever reads the command line. */
function storePath(name: string): StorePath {
  try {
    return parseStorePath(name);
  } catch (cause) {
    throw new UsageError(`${JSON.stringify(name)} is no store path: ${(cause as Error).message}`);
  }
}

/** One of the two stores: at the address that was given for it, or where other commands work. */
function at(options: CopyCommandOptions, store: string | undefined): ServiceOptions {
  if (store === undefined) return options;
  const { data: _, storeComposition: __, experimentalStoreComposition: ___, ...rest } = options;
  return {
    ...rest,
    serviceAddr: store,
    blobServiceAddr: store,
    directoryServiceAddr: store,
    pathInfoServiceAddr: store,
  };
}

async function* rootsOf({ pathInfoService }: Services, paths: readonly StorePath[]): AsyncIterable<PathInfo> {
  for (const path of paths) yield await findPathInfo(pathInfoService, path);
}

async function report(progress: CopyProgress, { json }: CopyCommandOptions): Promise<void> {
  if (json === true) {
    await print(`${JSON.stringify(progress)}\n`);
    return;
  }
  const { paths, copiedPaths, narBytes, sentBytes } = progress;
  const sent = `${mebibytes(sentBytes)} sent for ${mebibytes(narBytes)} of contents`;
  process.stderr.write(`copied ${copiedPaths} of ${paths} paths, ${sent}\n`);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

async function copyFromFileSystem(names: readonly string[], options: CopyCommandOptions): Promise<void> {
  const [file = process.env["NIX_ATTRS_JSON_FILE"], ...more] = names;
  if (file === undefined || file === "") {
    throw new UsageError("name a JSON file with a closure, or stores with --from and --to");
  }
  if (more.length > 0 || options.all === true) {
    throw new UsageError("one JSON file is read; paths are copied between stores, with --from or --to");
  }
  const json = file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  const closure = parsedClosure(json, file);
  await withWritableServices(options, async (services) => {
    const stored = await storeClosure(closure, services);
    process.stderr.write(`copied ${stored} of ${closure.length} paths\n`);
  });
}

function parsedClosure(json: string, file: string): ReturnType<typeof parseClosureJson> {
  try {
    return parseClosureJson(json);
  } catch (cause) {
    throw new Error(`${file} lists no closure: ${(cause as Error).message}`, { cause });
  }
}
