import { DEFAULT_MAX_MESSAGE_BYTES } from "@tvix/castore-grpc";
import { type Command, InvalidArgumentError, Option } from "commander";
import { configure } from "../config/config-file.ts";
import { parseOrigin } from "../cors-origin.ts";
import { parseListenAddress } from "../listen/listen-address.ts";
import { addBinaryCacheOptions } from "./binary-cache-options.ts";
import { compositionOption, experimentalCompositionOption } from "./composition-file.ts";
import { configOf } from "./config-commands.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { defaultDataDirectory } from "./data-directory.ts";
import { addDaemonGcOptions } from "./gc-options.ts";
import { directory, integer } from "./parse.ts";
import { repeatable } from "./repeatable.ts";
import { serviceAddressOptions } from "./service-address.ts";
import { extentsOption, recordsOption } from "./shared-store-options.ts";
import { tokenFileOption } from "./token-commands.ts";

/** Fits a machine of 1 GiB: the rest of a daemon takes up to some 450 MiB when it is attacked. */
const DEFAULT_MEMORY_MIB = 256;

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"];

function parseHostName(text: string): string {
  if (/^[a-z0-9_][a-z0-9_.-]*$/i.test(text)) return text;
  throw new RangeError("expected the name of a host, without a port");
}

/** Those who may connect, as tokio-listener calls them. */
const PERMISSIONS: Readonly<Record<string, number>> = { owner: 0o600, group: 0o660, everybody: 0o666 };

function parsePermissions(text: string): number {
  const mode = PERMISSIONS[text] ?? (/^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined);
  if (mode !== undefined) return mode;
  throw new InvalidArgumentError("expected owner, group, everybody, or three octal digits.");
}

/** `tvix-store daemon`: serves a data directory until it is told to end. */
export function addDaemonCommand(program: Command): void {
  const address = repeatable(
    "-l, --listen-address <address>",
    "host:port, [IPv6]:port, the path of a Unix socket, @name, sd-listen[:name] or stdio; default localhost:8000",
    parseListenAddress,
  ).env("TVIX_STORE_LISTEN_ADDRESS");
  const daemon = program
    .command("daemon")
    .description("serve a store by gRPC, gRPC-Web and Connect, and as a Nix binary cache, on one port")
    .addOption(address)
    .option(
      "--unix-listen-chmod <who>",
      "who may connect to Unix sockets: owner, group, everybody, or permissions such as 660",
      parsePermissions,
    )
    .addOption(
      new Option(
        "--unix-listen-unlink",
        "remove a Unix socket that nobody listens on; that is always done",
      ).hideHelp(),
    )
    .option("--unix-listen-uid <number>", "owner of Unix sockets", integer(0, 2 ** 32 - 2))
    .option("--unix-listen-gid <number>", "group of Unix sockets", integer(0, 2 ** 32 - 2))
    .option(
      "--sd-accept-ignore-environment",
      "take the sockets of systemd also when LISTEN_PID is another process",
    )
    .addOption(
      new Option("--data <directory>", "where everything is stored")
        .env("TVIX_STORE_DATA")
        .argParser(directory)
        .default(defaultDataDirectory(), "$XDG_DATA_HOME/tvix-store"),
    )
    .addOption(recordsOption())
    .addOption(extentsOption())
    .option(
      "--near-max-size <MiB>",
      "what is kept in the data directory of a store that several servers share; default 10 GiB, 0 for nothing",
      integer(0, 1 << 30),
    )
    .addOption(compositionOption())
    .addOption(experimentalCompositionOption())
    .option("--no-sync", "acknowledge before data has reached the disk: faster, but a power cut may lose it")
    .option(
      "--compression-level <level>",
      "zstd level of chunks, from 1 (fast) to 19 (small)",
      integer(1, 19),
      3,
    )
    .option(
      "--max-message-bytes <bytes>",
      "longest message accepted from a client, of calls that bring something",
      integer(64 << 10, 1 << 30),
      DEFAULT_MAX_MESSAGE_BYTES,
    )
    .addOption(
      repeatable("--cors-origin <origin>", "let pages of this origin call from a browser", parseOrigin),
    )
    .addOption(
      new Option("--reads <who>", "who may read: anybody, or who has a token")
        .choices(["open", "token"])
        .default("open"),
    )
    .addOption(
      new Option(
        "--writes <who>",
        "who may add: anybody, or who has a token; auto asks for a token as soon as there is one, or when other machines can connect",
      )
        .choices(["auto", "open", "token"])
        .default("auto"),
    )
    .addOption(tokenFileOption())
    .option("--tls-cert-file <file>", "serve by TLS with this certificate, in PEM", directory)
    .option("--tls-key-file <file>", "the key of the certificate, in PEM", directory)
    .option(
      "--tls-client-ca-file <file>",
      "let in only who has a certificate signed by one of these",
      directory,
    )
    .option(
      "--oidc-rules <file>",
      "TOML file that says which identity tokens of CI systems are taken",
      directory,
    )
    .addOption(
      repeatable("--allowed-host <name>", "a name by which browsers may call a local daemon", parseHostName),
    )
    .addOption(
      repeatable(
        "--signing-key-file <file>",
        "sign every path info that is put with the key in this file",
        (text) => text,
      ).env("TVIX_STORE_SIGNING_KEY_FILE"),
    )
    .option(
      "--memory <MiB>",
      "memory for what is under way; more of it waits, and is refused after a while",
      integer(16, 1 << 20),
      DEFAULT_MEMORY_MIB,
    )
    .option(
      "--max-disk-use <MiB>",
      "what the data directory may take: then nothing is stored until some has gone; default any size",
      integer(1, 1 << 30),
    )
    .option(
      "--file-index",
      "keep an index of the names of all files, for /index/files?name=: which store paths have such a file",
    )
    .option(
      "--max-connections <number>",
      "at a time; default what the process may open, less 256",
      integer(1, 1 << 20),
    )
    .option(
      "--max-connections-per-address <number>",
      "of them from one address; default half",
      integer(1, 1 << 20),
    )
    .option(
      "--max-requests <number>",
      "under way at a time, half of them from one address; default 4096",
      integer(2, 1 << 20),
    )
    .option(
      "--max-uploads-per-principal <number>",
      "uploads at a time with one token, or from one address without; default any number",
      integer(1, 1 << 20),
    )
    .option(
      "--max-daily-upload-per-principal <MiB>",
      "what one token, or one address without, may send in a day to be stored; default any amount",
      integer(1, 1 << 30),
    )
    .option(
      "--request-timeout <seconds>",
      "time for one request and its answer",
      integer(1, 30 * 86_400),
      86_400,
    )
    .option("--shutdown-timeout <seconds>", "time for calls under way on SIGTERM", integer(0, 3600), 10)
    .addOption(
      new Option("--log-level <level>", "what is logged, to stderr").choices(LOG_LEVELS).default("info"),
    )
    .option("--log-requests", "log each request when it has ended: who, what, its code, bytes and time")
    .action(async (options: DaemonOptions) => {
      // The server's modules take longer to load than most other commands to run.
      const { runDaemon } = await import("./run-daemon.ts");
      const complete = (read: DaemonOptions): DaemonOptions => ({
        ...read,
        dataIsGiven: daemon.getOptionValueSource("data") !== "default",
      });
      await runDaemon(complete(options), () => {
        const file = configOf(program);
        if (file !== undefined) configure(daemon, "daemon", file);
        return complete(daemon.opts<DaemonOptions>());
      });
    });
  for (const option of serviceAddressOptions()) daemon.addOption(option);
  addBinaryCacheOptions(daemon);
  addDaemonGcOptions(daemon);
  // Whoever runs it in a container sets everything there.
  for (const option of daemon.options) {
    if (option.envVar !== undefined || option.isBoolean() || option.negate) continue;
    option.env(`TVIX_STORE_${option.name().toUpperCase().replaceAll("-", "_")}`);
  }
}
