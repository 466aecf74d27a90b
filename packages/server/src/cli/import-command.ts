import { readlink, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { importName, importPath } from "@tvix/store/node";
import type { Command } from "commander";
import { print } from "./output.ts";
import { pathInfoToJson } from "./path-info-text.ts";
import { withProgress } from "./progress.ts";
import { UsageError } from "./repeatable.ts";
import { addServiceOptions, type ServiceOptions, withWritableServices } from "./services.ts";

/** `tvix-store import`: paths of the file system become objects of the store. */
export function addImportCommand(program: Command): void {
  const command = program
    .command("import")
    .description("store paths under the names that Nix gives them, and print these")
    .argument("<path...>", "files, directories or links")
    .option("--name <name>", "name in the store, for one path; default: its last component")
    .option("--json", "print an array of path infos");
  addServiceOptions(command).action(
    async (paths: readonly string[], options: ServiceOptions & { json?: boolean; name?: string }) => {
      for (const path of paths) await refuseDescriptor(path);
      // All names are checked before anything is stored.
      if (options.name !== undefined && paths.length > 1) {
        throw new UsageError("option '--name' is for one path");
      }
      const named = paths.map((path) => ({ path, name: options.name ?? importName(path) }));
      await withWritableServices(options, async (services) => {
        const infos: unknown[] = [];
        const printInfos = async () => {
          if (options.json === true) await print(`${JSON.stringify(infos, undefined, 2)}\n`);
        };
        try {
          for (const { path, name } of named) {
            const info = await withProgress(`importing ${name}`, (onProgress) =>
              importPath(path, services, { name, ...(onProgress === undefined ? {} : { onProgress }) }),
            );
            if (options.json === true) infos.push(pathInfoToJson(info));
            else await print(`${info.storePath.toAbsolute()}\n`);
          }
        } catch (error) {
          // Those in front of it are stored.
          await printInfos().catch(() => {});
          throw error;
        }
        await printInfos();
      });
    },
  );
}

/** Where a process finds what it has open, under names that are links without being any. */
const DESCRIPTORS = /^\/proc\/(?:self|\d+)\/fd(?:\/|$)/;

/** Refuses /dev/stdin, and what a shell makes of `<(command)`: as the links that they are, they would be stored without contents. */
async function refuseDescriptor(path: string): Promise<void> {
  const target = await readlink(path).catch(() => undefined);
  if (target === undefined) return;
  const folder = await realpath(dirname(path));
  if (!DESCRIPTORS.test(target) && !DESCRIPTORS.test(folder)) return;
  throw new UsageError(
    `${path} is what is open here, and no file; \`castore ingest -\` stores standard input`,
  );
}
