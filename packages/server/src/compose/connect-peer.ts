import { readFileSync } from "node:fs";
import { CastoreError } from "@tvix/castore";
import { createGrpcTransport, type GrpcTransport, type GrpcTransportOptions } from "@tvix/castore-grpc/http2";
import { readAuthorities } from "./authorities.ts";
import type { GrpcPeer } from "./grpc-peer.ts";

/** How peers are talked to whose addresses say nothing else. */
export interface PeerOptions
  extends Pick<
    GrpcTransportOptions,
    "maxMessageBytes" | "connectTimeoutMs" | "keepaliveMs" | "stallTimeoutMs" | "reconnectMs" | "restMs"
  > {
  readonly caFile?: string | undefined;
  /** A file with the token to show. */
  readonly bearerTokenFile?: string | undefined;
  /** The token to show, where there is no file. */
  readonly token?: string | undefined;
}

/**
 * Begins to talk to a peer; connects now where its address asks for that.
 *
 * @throws CastoreError UNAVAILABLE when it should have answered, and cannot be reached
 */
export async function connectPeer(peer: GrpcPeer, options: PeerOptions): Promise<GrpcTransport> {
  const { bearerTokenFile = options.bearerTokenFile, caFile = options.caFile } = peer;
  const { caFile: _, bearerTokenFile: __, token, ...others } = options;
  const transport = createGrpcTransport(peer.server, {
    ...others,
    // It may change.
    token:
      bearerTokenFile === undefined
        ? token && checkedToken(token, "TVIX_STORE_TOKEN")
        : () => checkedToken(readFileSync(bearerTokenFile, "utf8").trim(), bearerTokenFile),
    tls: { ca: caFile === undefined ? undefined : readAuthorities(caFile) },
  });
  if (!peer.waitConnect) return transport;
  try {
    await transport.connect();
    return transport;
  } catch (cause) {
    await transport.close();
    throw new CastoreError("UNAVAILABLE", (cause as Error).message, { cause, subject: String(peer) });
  }
}

/** @throws Error for what cannot be shown to a server, and would be taken for no token */
function checkedToken(text: string, where: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new Error(`${where} holds no token, which is one word of letters, digits and signs`);
}
