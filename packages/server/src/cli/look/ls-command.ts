import { CastorePath, descendTo } from "@tvix/castore";
import { type Command, Option } from "commander";
import { listTree } from "../list-tree.ts";
import { findObject, OBJECT, type ObjectName, parseObject } from "../object.ts";
import { parsed } from "../parse.ts";
import { addServiceOptions, type ServiceOptions, withServices } from "../services.ts";

interface LsOptions extends ServiceOptions {
  readonly json?: boolean;
  readonly recursive?: boolean;
  readonly null?: boolean;
}

/** `tvix-store ls`: what is in an object of the store. */
export function addLsCommand(program: Command): void {
  const command = program
    .command("ls")
    .description("list what a store path or directory holds")
    .argument("<object>", OBJECT, parseObject)
    .argument("[path]", "a path inside it", (text) => parsed(text, CastorePath.fromHostPath))
    .option("-R, --recursive", "list everything below as well")
    .addOption(new Option("--json", "print an array of objects").conflicts("null"))
    .option("-z, --null", "names as they are, and a NUL at the end of each line");
  addServiceOptions(command).action(
    async (object: ObjectName, path: CastorePath | undefined, options: LsOptions) => {
      const inside = path ?? CastorePath.ROOT;
      await withServices(options, async (services) => {
        const root = await findObject(services, object);
        const node = await descendTo(services.directoryService, root, inside);
        if (node === undefined) throw new Error(`there is no ${inside} in it`);
        await listTree(services.directoryService, node, inside, {
          recursive: options.recursive === true,
          format: options.json === true ? "json" : options.null === true ? "raw" : "quoted",
        });
      });
    },
  );
}
