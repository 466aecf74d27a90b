import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { concatBytes } from "@tvix/byte-stream";
import {
  correctConnectBody,
  correctConnectFrame,
  correctStatus,
  correctWebFrame,
} from "./readable-status.ts";

/** The same answer with a status that says what was wrong, in words that can be read. */
export async function withReadableStatus(
  response: UniversalServerResponse,
): Promise<UniversalServerResponse> {
  const { status, header, body, trailer } = response;
  if (header !== undefined) correctStatus(header);
  if (body === undefined) {
    if (trailer !== undefined) correctStatus(trailer);
    return response;
  }
  const type = header?.get("content-type") ?? "";
  if (status !== 200 && type === "application/json") return await withReadableError(response, body);
  const correctFrame = type.startsWith("application/grpc-web")
    ? correctWebFrame
    : type.startsWith("application/connect")
      ? correctConnectFrame
      : undefined;
  async function* corrected(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const piece of pieces) yield correctFrame?.(piece) ?? piece;
    // The trailers are complete when the body has ended.
    if (trailer !== undefined) correctStatus(trailer);
  }
  return { ...response, body: corrected(body) };
}

/** An error of Connect is one short text. */
async function withReadableError(
  response: UniversalServerResponse,
  body: AsyncIterable<Uint8Array>,
): Promise<UniversalServerResponse> {
  const header = new Headers(response.header);
  const { code, body: corrected } = correctConnectBody(concatBytes(await Array.fromAsync(body)), header);
  header.delete("content-length");
  return {
    status: codeToHttpStatus(code),
    header,
    body: (async function* () {
      yield corrected;
    })(),
  };
}
