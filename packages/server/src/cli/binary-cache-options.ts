import { DEFAULT_LIMITS, type NarBridgeLimits } from "@tvix/nar-bridge/options";
import { PublicKey } from "@tvix/narinfo";
import { type Command, Option } from "commander";
import { integer } from "./parse.ts";
import { repeatable, repeatableSecret } from "./repeatable.ts";
import { type DaemonUpstream, parseDaemonUpstream } from "./upstream-option.ts";

/** What the command line says of the binary cache. */
export interface BinaryCacheOptions {
  readonly cachePriority: number;
  readonly narCompression: "zstd" | "none";
  readonly uploads: boolean;
  readonly unsignedUploads: "accept" | "require";
  readonly trustedPublicKey?: readonly PublicKey[];
  readonly checkReferences?: boolean;
  readonly upstream?: readonly DaemonUpstream[];
  readonly maxUploadBytes: number;
  readonly maxNarBytes: number;
  readonly maxUploads: number;
  readonly maxWindowBytes: number;
  readonly uploadTimeout: number;
  readonly stallTimeout: number;
}

/** What one NAR may take, whether it is uploaded or fetched. */
export function limitsOfUploads(
  options: BinaryCacheOptions,
): Pick<NarBridgeLimits, "maxNarBytes" | "maxWindowBytes" | "uploadTimeoutMs"> {
  const { maxNarBytes, maxWindowBytes, uploadTimeout } = options;
  return { maxNarBytes, maxWindowBytes, uploadTimeoutMs: uploadTimeout * 1000 };
}

const MOST_BYTES = Number.MAX_SAFE_INTEGER;

/** Adds the options of the binary cache to a command. */
export function addBinaryCacheOptions(command: Command): void {
  const bytes = integer(1, MOST_BYTES);
  const seconds = integer(1, 7 * 24 * 3600);
  command
    .option("--cache-priority <number>", "of the binary cache; lower is asked first", integer(0, 999), 39)
    .addOption(
      new Option("--nar-compression <form>", "of the NARs that narinfos offer")
        .choices(["zstd", "none"])
        .default("zstd"),
    )
    .option("--no-uploads", "take nothing, by any protocol")
    .addOption(
      new Option(
        "--unsigned-uploads <rule>",
        "what happens to paths without a signature by a trusted key, by whatever protocol they come",
      )
        .choices(["accept", "require"])
        .default("accept"),
    )
    .addOption(
      repeatable("--trusted-public-key <key>", "name:base64, for --unsigned-uploads require", (text) =>
        PublicKey.parse(text),
      ),
    )
    .option("--check-references", "refuse paths that refer to what is not here")
    .addOption(
      repeatableSecret(
        "--upstream <address>",
        "fetch what is not here from this cache or store: nix+https://host?trusted-public-keys=… or grpc+https://host",
        parseDaemonUpstream,
      ),
    )
    .option("--max-upload-bytes <bytes>", "longest uploaded file", bytes, DEFAULT_LIMITS.maxUploadBytes)
    .option("--max-nar-bytes <bytes>", "longest NAR, uncompressed", bytes, DEFAULT_LIMITS.maxNarBytes)
    .option(
      "--max-uploads <number>",
      "NARs taken in at once; others wait",
      integer(1, 1000),
      DEFAULT_LIMITS.maxUploads,
    )
    .option(
      "--max-window-bytes <bytes>",
      "largest window or dictionary that a compressed upload may ask for",
      integer(64 << 10, 2 ** 32),
      DEFAULT_LIMITS.maxWindowBytes,
    )
    .option(
      "--upload-timeout <seconds>",
      "time for one upload",
      seconds,
      DEFAULT_LIMITS.uploadTimeoutMs / 1000,
    )
    .option(
      "--stall-timeout <seconds>",
      "time without progress after which a client is cut off",
      seconds,
      DEFAULT_LIMITS.stallMs / 1000,
    );
}
