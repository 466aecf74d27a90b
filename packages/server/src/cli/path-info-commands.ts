import type { StorePath } from "@tvix/nix-compat";
import type { Command } from "commander";
import { findPathInfo, parseStorePath } from "./object.ts";
import { print } from "./output.ts";
import { pathInfoToJson, pathInfoToText } from "./path-info-text.ts";
import { addServiceOptions, type ServiceOptions, withServices } from "./services.ts";

interface JsonOption extends ServiceOptions {
  readonly json?: boolean;
}

/** `tvix-store path-info`: what is known of store paths. */
export function addPathInfoCommands(program: Command): void {
  const command = program.command("path-info").description("show what is known of a store path");
  const show = command
    .command("show", { isDefault: true })
    .description("of one path")
    .argument("<store path>", "with or without /nix/store/", parseStorePath)
    .option("--json", "print an object");
  addServiceOptions(show).action(async (path: StorePath, options: JsonOption) => {
    const info = await withServices(options, ({ pathInfoService }) => findPathInfo(pathInfoService, path));
    await print(
      options.json === true
        ? `${JSON.stringify(pathInfoToJson(info), undefined, 2)}\n`
        : pathInfoToText(info),
    );
  });
  const list = command
    .command("list")
    .description("list all store paths")
    .option("--json", "print one object a line, with everything that is known");
  addServiceOptions(list).action(async (options: JsonOption) => {
    await withServices(options, async ({ pathInfoService }) => {
      for await (const info of pathInfoService.list()) {
        const line =
          options.json === true ? JSON.stringify(pathInfoToJson(info)) : info.storePath.toAbsolute();
        await print(`${line}\n`);
      }
    });
  });
}
