import { type Command, Option } from "commander";
import { directory } from "./parse.ts";
import { repeatable } from "./repeatable.ts";

/** Which store of Nix is read, and what of it is left out. */
export interface NixStoreOptions {
  readonly nixRoot?: string;
  readonly skipSignedBy?: readonly string[];
  readonly skip: boolean;
}

/** The key of the cache that every Nix asks. */
const DEFAULT_SKIPPED = ["cache.nixos.org-1"];

/** Adds the options of {@link NixStoreOptions}. */
export function addNixStoreOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--nix-root <directory>",
        "what stands in front of /nix/store and /nix/var, as in nix --store DIRECTORY",
      ).argParser(directory),
    )
    .addOption(
      repeatable(
        "--skip-signed-by <key name>",
        "leave out paths signed by this key, which others serve; default cache.nixos.org-1",
        (name) => name,
      ),
    )
    .option("--no-skip", "leave out nothing, whoever has signed it");
}

/** Names of the keys whose paths are left out. */
export function skippedKeys({ skip, skipSignedBy = DEFAULT_SKIPPED }: NixStoreOptions): readonly string[] {
  return skip ? skipSignedBy : [];
}
