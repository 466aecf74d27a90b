import { importName, importPath } from "@tvix/store/node";
import type { Command } from "commander";
import { print } from "./output.ts";
import { pathInfoToJson } from "./path-info-text.ts";
import { withProgress } from "./progress.ts";
import { addServiceOptions, type ServiceOptions, withWritableServices } from "./services.ts";

/** `tvix-store import`: paths of the file system become objects of the store. */
export function addImportCommand(program: Command): void {
  const command = program
    .command("import")
    .description("store paths under the names that Nix gives them, and print these")
    .argument("<path...>", "files, directories or links")
    .option("--json", "print an array of path infos");
  addServiceOptions(command).action(
    async (paths: readonly string[], options: ServiceOptions & { json?: boolean }) => {
      // All names are checked before anything is stored.
      const named = paths.map((path) => ({ path, name: importName(path) }));
      await withWritableServices(options, async (services) => {
        const infos = [];
        for (const { path, name } of named) {
          const info = await withProgress(`importing ${name}`, (onProgress) =>
            importPath(path, services, { name, ...(onProgress === undefined ? {} : { onProgress }) }),
          );
          if (options.json === true) infos.push(pathInfoToJson(info));
          else await print(`${info.storePath.toAbsolute()}\n`);
        }
        if (options.json === true) await print(`${JSON.stringify(infos, undefined, 2)}\n`);
      });
    },
  );
}
