import type { IncomingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { ERROR_CODE_TRAILER, errorCodeOfStatus } from "../status.ts";

/** Trailers that end a call with success. */
export const OK_TRAILERS: Readonly<Record<string, string>> = { "grpc-status": "0" };

/** Trailers that end a call with an error; its metadata goes with them, and a code for who reads no texts. */
export function trailersOf(error: ConnectError): Record<string, string> {
  return {
    [ERROR_CODE_TRAILER]: errorCodeOfStatus(error.code),
    ...Object.fromEntries(error.metadata),
    "grpc-status": String(error.code),
    "grpc-message": encodeStatusMessage(error.rawMessage),
  };
}

/** The error in trailers, undefined for success. */
export function errorOf(trailers: IncomingHttpHeaders): ConnectError | undefined {
  const status = trailers["grpc-status"];
  if (status === "0") return undefined;
  const metadata = new Headers();
  for (const [name, value] of Object.entries(trailers)) {
    if (typeof value === "string" && !name.startsWith(":") && !name.startsWith("grpc-"))
      metadata.set(name, value);
  }
  const code = Number(status);
  if (!(code in Code)) return new ConnectError("response has no valid grpc-status", Code.Internal, metadata);
  return new ConnectError(decodeMessage(trailers["grpc-message"]), code, metadata);
}

/**
 * A text as `grpc-message` carries it: printable ASCII but "%" as it is, every other byte of the
 * UTF-8 as %XX.
 */
export function encodeStatusMessage(message: string): string {
  return message.replace(/[^ -$&-~]/gu, (character) =>
    Array.from(
      new TextEncoder().encode(character),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    ).join(""),
  );
}

function decodeMessage(message: string | string[] | undefined): string {
  if (typeof message !== "string") return "";
  try {
    return decodeURIComponent(message);
  } catch {
    // The text of a peer that does not encode it is better than none.
    return message;
  }
}
