import type { PushProgress } from "@tvix/nix-local";
import type { Command } from "commander";
import { interruptible } from "./interrupt.ts";
import { addNixStoreOptions, type NixStoreOptions, skippedKeys } from "./nix-store-options.ts";
import { print } from "./output.ts";
import { pushProgress } from "./push-progress.ts";
import { addServiceOptions, type ServiceOptions, withWritableServices } from "./services.ts";

type PushCommandOptions = ServiceOptions & NixStoreOptions & { readonly json?: boolean };

/** `tvix-store push`: paths of Nix's own store with all that they refer to. */
export function addPushCommand(program: Command): void {
  const command = program
    .command("push")
    .description(
      "store paths of this machine's Nix, with all that they refer to, but for what is there already",
    )
    .argument("<path...>", "store paths, paths in them, or links such as ./result")
    .option("--json", "print what was done as an object");
  addServiceOptions(addNixStoreOptions(command)).action(
    async (paths: readonly string[], options: PushCommandOptions) => {
      // Loads SQLite, which no other command needs.
      const { LocalNixStore, pushPaths } = await import("@tvix/nix-local");
      using nix = LocalNixStore.open({ root: options.nixRoot });
      const closure = await nix.closure(paths.map((path) => nix.resolve(path)));
      const done = await withWritableServices(options, (services) =>
        interruptible((signal) =>
          pushProgress((onProgress) =>
            pushPaths(closure, nix, services, { signal, skipSignedBy: skippedKeys(options), onProgress }),
          ),
        ),
      );
      if (options.json === true) await print(`${JSON.stringify(done)}\n`);
      else process.stderr.write(`${describePush(done)}\n`);
    },
  );
}

/** A push in one line. */
export function describePush({ paths, present, skipped, stored, bytes }: PushProgress): string {
  const left = skipped === 0 ? "" : `, ${skipped} left out as others have signed them`;
  return `pushed ${stored} of ${paths} paths (${(bytes / 2 ** 20).toFixed(1)} MiB), ${present} were there${left}`;
}
