import type { GrpcTransport } from "@tvix/castore-grpc/http2";
import { type Command, Option } from "commander";
import type { PeerOptions } from "../compose/connect-peer.ts";
import type { GrpcPeer } from "../compose/grpc-peer.ts";
import { caFileOption } from "./ca-file-option.ts";
import { directory, integer } from "./parse.ts";

/** How a command talks to servers. */
export interface PeerCommandOptions {
  /** Names under which the servers serve. */
  readonly namespace: "auto" | "tvix" | "snix";
  /** Longest message that is sent or taken, in bytes. */
  readonly maxMessageBytes: number;
  /** In seconds. */
  readonly connectTimeout: number;
  /** In seconds. */
  readonly stallTimeout: number;
  readonly caFile?: string;
  readonly bearerTokenFile?: string;
  /** Whether servers whose addresses name no token are shown none. Default: that of the environment or the file. */
  readonly showsNoToken?: boolean;
}

/** Adds the options that say how servers are talked to. */
export function addPeerOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--namespace <names>",
        "names of the services at these addresses: tvix.…, snix.…, or whichever they know",
      )
        .choices(["auto", "tvix", "snix"])
        .default("auto"),
    )
    .addOption(caFileOption("grpc+https"))
    .addOption(
      new Option("--bearer-token-file <file>", "a token for the servers; or set TVIX_STORE_TOKEN")
        .env("TVIX_STORE_BEARER_TOKEN_FILE")
        .argParser(directory),
    )
    .addOption(
      new Option("--connect-timeout <seconds>", "time to connect to a server")
        .argParser(integer(1, 3600))
        .default(10),
    )
    .addOption(
      new Option("--stall-timeout <seconds>", "time for which a call may wait for a server that says nothing")
        .argParser(integer(1, 86_400))
        .default(900),
    );
}

/** Connects to peers as the command line says; what their addresses say goes before. */
export async function connectAs(peer: GrpcPeer, options: PeerCommandOptions): Promise<GrpcTransport> {
  // What speaks gRPC takes a tenth of a second to load, which work on a directory does not need.
  const { connectPeer } = await import("../compose/connect-peer.ts");
  const peers: PeerOptions = {
    maxMessageBytes: options.maxMessageBytes,
    connectTimeoutMs: options.connectTimeout * 1000,
    stallTimeoutMs: options.stallTimeout * 1000,
    caFile: options.caFile,
    ...(options.showsNoToken === true
      ? {}
      : {
          bearerTokenFile: options.bearerTokenFile,
          token: options.bearerTokenFile === undefined ? await tokenFor(peer) : undefined,
        }),
  };
  return await connectPeer(peer, peers);
}

/** The token that the environment has; or else the one that `login` has kept for the server. */
async function tokenFor({ server }: GrpcPeer): Promise<string | undefined> {
  const { TVIX_STORE_TOKEN: token } = process.env;
  if (token !== undefined && token !== "") return token;
  if (!("url" in server)) return undefined;
  const { keptToken } = await import("./login-command.ts");
  return await keptToken(new URL(server.url).origin);
}
