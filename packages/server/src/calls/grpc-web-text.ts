import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";

const TEXT = /^application\/grpc-web-text(\+proto)?\s*(;|$)/i;
const BINARY = "application/grpc-web+proto";

/** Whether a request is gRPC-Web in base64, as the official client sends it unless told otherwise. */
export function isGrpcWebText(headers: Headers): boolean {
  return TEXT.test(headers.get("content-type") ?? "");
}

/** The same request in binary. */
export function toBinaryRequest(request: UniversalServerRequest): UniversalServerRequest {
  const header = new Headers(request.header);
  header.set("content-type", BINARY);
  return { ...request, header, body: decodeBase64(request.body as AsyncIterable<Uint8Array>) };
}

/** The same response in base64: each piece by itself, which clients take as one text. */
export function toTextResponse(response: UniversalServerResponse): UniversalServerResponse {
  const header = new Headers(response.header);
  if (header.get("content-type")?.startsWith("application/grpc-web") === true) {
    header.set("content-type", "application/grpc-web-text+proto");
  }
  return {
    ...response,
    header,
    ...(response.body === undefined ? {} : { body: encodeBase64(response.body) }),
  };
}

/** Bytes of base64 that may be several texts one after the other, each with its padding. */
async function* decodeBase64(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let rest = "";
  for await (const piece of source) {
    const text = rest + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1");
    const whole = text.length - (text.length % 4);
    rest = text.slice(whole);
    // What is padded ends one text.
    for (const one of text.slice(0, whole).match(/[^=]+=*/g) ?? []) yield bytesOf(one);
  }
  if (rest !== "") yield bytesOf(rest);
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

async function* encodeBase64(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const piece of source) {
    yield Buffer.from(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("base64"));
  }
}
