import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { concatBytes } from "@tvix/byte-stream";
import {
  correctConnectBody,
  correctConnectFrame,
  correctStatus,
  correctWebFrame,
  type NoteCode,
} from "./readable-status.ts";

/**
 * The same answer with a status that says what was wrong, in words that can be read.
 *
 * @param note is told the code as soon as it is known; nothing where all is well
 */
export async function withReadableStatus(
  response: UniversalServerResponse,
  note: NoteCode,
): Promise<UniversalServerResponse> {
  const { status, header, body, trailer } = response;
  if (status !== 200) note(String(status));
  if (header !== undefined) correctStatus(header, note);
  if (body === undefined) {
    if (trailer !== undefined) correctStatus(trailer, note);
    return response;
  }
  const type = header?.get("content-type") ?? "";
  if (status !== 200 && type === "application/json") return await withReadableError(response, body, note);
  const correctFrame = type.startsWith("application/grpc-web")
    ? correctWebFrame
    : type.startsWith("application/connect")
      ? correctConnectFrame
      : undefined;
  async function* corrected(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const piece of pieces) yield correctFrame?.(piece, note) ?? piece;
    // The trailers are complete when the body has ended.
    if (trailer !== undefined) correctStatus(trailer, note);
  }
  return { ...response, body: corrected(body) };
}

/** An error of Connect is one short text. */
async function withReadableError(
  response: UniversalServerResponse,
  body: AsyncIterable<Uint8Array>,
  note: NoteCode,
): Promise<UniversalServerResponse> {
  const header = new Headers(response.header);
  const { code, body: corrected } = correctConnectBody(
    concatBytes(await Array.fromAsync(body)),
    header,
    note,
  );
  header.delete("content-length");
  return {
    status: codeToHttpStatus(code),
    header,
    body: (async function* () {
      yield corrected;
    })(),
  };
}
