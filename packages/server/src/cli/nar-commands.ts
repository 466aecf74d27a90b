import { CastorePath, nodeToJson } from "@tvix/castore";
import { writeListing } from "@tvix/nar";
import { ingestNar, outlineOf, renderNar } from "@tvix/store";
import { type Command, Option } from "commander";
import { listTree } from "./list-tree.ts";
import { nameOfNode } from "./node-name.ts";
import { findObject, OBJECT, type ObjectName, parseObject } from "./object.ts";
import { print } from "./output.ts";
import { readFileInPieces } from "./read-file.ts";
import { addServiceOptions, type ServiceOptions, withServices, withWritableServices } from "./services.ts";

interface JsonOption extends ServiceOptions {
  readonly json?: boolean;
}

/** `tvix-store nar …`: NARs out of the store, and into it. */
export function addNarCommands(program: Command): void {
  const nar = program.command("nar").description("write, read and list NARs");
  addDump(nar);
  addIngest(nar);
  addLs(nar);
}

function addDump(nar: Command): void {
  const command = nar
    .command("dump")
    .description("write the NAR of an object to stdout, as nix-store --dump does")
    .argument("<object>", OBJECT, parseObject);
  addServiceOptions(command).action(async (object: ObjectName, options: ServiceOptions) => {
    await withServices(options, async (services) => {
      for await (const piece of renderNar(await findObject(services, object), services)) await print(piece);
    });
  });
}

function addIngest(nar: Command): void {
  const command = nar
    .command("ingest")
    .description("store the contents of a NAR, and print the digest of its root")
    .argument("<file>", "an uncompressed NAR, or - for stdin")
    .option("--json", "print the root node, and length and hash of the NAR");
  addServiceOptions(command).action(async (file: string, options: JsonOption) => {
    const source = file === "-" ? process.stdin : readFileInPieces(file);
    await withWritableServices(options, async (services) => {
      const { node, narSize, narHash } = await ingestNar(source, services);
      if (options.json === true) {
        const summary = { node: nodeToJson(node), narSize, narHash: narHash.toSri() };
        await print(`${JSON.stringify(summary, undefined, 2)}\n`);
      } else {
        await print(`${await nameOfNode(services, node)}\n`);
      }
    });
  });
}

function addLs(nar: Command): void {
  const command = nar
    .command("ls")
    .description("list what the NAR of an object holds")
    .argument("<object>", OBJECT, parseObject)
    .addOption(new Option("--json", "print the listing that binary caches have as .ls").conflicts("null"))
    .option("-z, --null", "names as they are, and a NUL at the end of each line");
  addServiceOptions(command).action(async (object: ObjectName, options: JsonOption & { null?: boolean }) => {
    await withServices(options, async (services) => {
      const root = await findObject(services, object);
      if (options.json === true) {
        for await (const piece of writeListing(outlineOf(root, services.directoryService)))
          await print(piece);
        await print("\n");
      } else {
        await listTree(services.directoryService, root, CastorePath.ROOT, {
          recursive: true,
          format: options.null === true ? "raw" : "quoted",
        });
      }
    });
  });
}
