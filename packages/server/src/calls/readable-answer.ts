import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
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
  if (status === 500) return await withReadableError(response, body);
  const type = header?.get("content-type") ?? "";
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
  const bytes = concatBytes(await Array.fromAsync(body));
  const corrected = correctConnectBody(bytes);
  const header = new Headers(response.header);
  header.delete("content-length");
  return {
    ...response,
    header,
    ...(corrected === undefined ? {} : { status: 400 }),
    body: (async function* () {
      yield corrected ?? bytes;
    })(),
  };
}
