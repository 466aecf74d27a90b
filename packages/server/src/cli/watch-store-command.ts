import { CastoreError } from "@tvix/castore";
import type { StorePath } from "@tvix/nix-compat";
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
    .option("--json", "print an object for each push, on a line of its own");
  addServiceOptions(addNixStoreOptions(command)).action(async (options: WatchOptions) => {
    const { LocalNixStore, pushPaths, watchPaths } = await import("@tvix/nix-local");
    using nix = LocalNixStore.open({ root: options.nixRoot });
    const ending = new AbortController();
    void waitForSignal().then(() => ending.abort());
    process.stderr.write(`watching ${nix.databaseFile}\n`);
    const push = async (paths: readonly StorePath[]) => {
      const closure = await nix.closure(paths);
      const done = await withWritableServices(options, (services) =>
        pushPaths(closure, nix, services, { skipSignedBy: skippedKeys(options) }),
      );
      if (options.json === true) await print(`${JSON.stringify(done)}\n`);
      else process.stderr.write(`${describePush(done)}\n`);
    };
    const onUnreadable = (text: string) => void process.stderr.write(`tvix-store: ${text}\n`);
    // What is being stored when the end is asked for is stored.
    for await (const added of watchPaths(nix, { signal: ending.signal, onUnreadable })) {
      await pushAll(
        added.map(({ storePath }) => storePath),
        push,
        ending.signal,
      );
    }
  });
}

/**
 * Pushes paths together; where that fails, one by one, so that a path that is refused or gone keeps no other one back.
 * A store that is away, busy or full is waited for.
 */
async function pushAll(
  paths: readonly StorePath[],
  push: (paths: readonly StorePath[]) => Promise<void>,
  ending: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await push(paths);
      return;
    } catch (error) {
      process.stderr.write(`tvix-store: ${paths.join(", ")}: ${describeFailure(error)}\n`);
      if (isPassing(error) && !ending.aborted) {
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      } else {
        if (paths.length > 1) for (const path of paths) await pushAll([path], push, ending);
        return;
      }
    }
  }
}

/** Failures of a store that end by themselves, or when somebody looks after it. */
const PASSING: ReadonlySet<string> = new Set(["UNAVAILABLE", "TOO_BUSY", "NO_SPACE", "CLOSED", "LOCKED"]);

function isPassing(error: unknown): boolean {
  return CastoreError.is(error) && PASSING.has(error.code);
}
