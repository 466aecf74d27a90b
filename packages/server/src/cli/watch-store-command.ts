import type { LocalNixStore as Nix } from "@tvix/nix-local";
import type { Command } from "commander";
import { describeFailure } from "./failure.ts";
import { addNixStoreOptions, type NixStoreOptions, skippedKeys } from "./nix-store-options.ts";
import { print } from "./output.ts";
import { describePush } from "./push-command.ts";
import { addServiceOptions, type ServiceOptions, withWritableServices } from "./services.ts";
import { waitForSignal } from "./signals.ts";

type WatchOptions = ServiceOptions & NixStoreOptions & { readonly json?: boolean };

/** Time until paths that could not be stored are tried again, in milliseconds. */
const AGAIN_MS = 5000;

/** `tvix-store watch-store`: pushes what Nix builds, until it is told to end. */
export function addWatchStoreCommand(program: Command): void {
  const command = program
    .command("watch-store")
    .description("push each path that Nix adds to its store from now on, until a signal ends it")
    .option("--json", "print an object for each push, on a line of its own")
    .addHelpText(
      "after",
      "\nExample:\n  tvix-store watch-store --service-addr grpc+https://cache.example.org &\n",
    );
  addServiceOptions(addNixStoreOptions(command)).action(async (options: WatchOptions) => {
    const { LocalNixStore, pushPaths, watchPaths } = await import("@tvix/nix-local");
    using nix = LocalNixStore.open({ root: options.nixRoot });
    const ending = new AbortController();
    void waitForSignal().then(() => ending.abort());
    process.stderr.write(`watching ${nix.databaseFile}\n`);
    for await (const added of watchPaths(nix, ending)) {
      // What is being stored when the end is asked for is stored.
      for (let isStored = false; !isStored; )
        isStored = await pushed(added.map(({ storePath }) => storePath));
    }

    async function pushed(roots: Parameters<Nix["closure"]>[0]): Promise<boolean> {
      try {
        const closure = await nix.closure(roots);
        const done = await withWritableServices(options, (services) =>
          pushPaths(closure, nix, services, { skipSignedBy: skippedKeys(options) }),
        );
        if (options.json === true) await print(`${JSON.stringify(done)}\n`);
        else process.stderr.write(`${describePush(done)}\n`);
        return true;
      } catch (error) {
        process.stderr.write(`tvix-store: ${describeFailure(error)}\n`);
        if (ending.signal.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        return false;
      }
    }
  });
}
