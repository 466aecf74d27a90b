import { Code } from "@connectrpc/connect";
import { encodeStatusMessage } from "@tvix/castore/grpc-http2";

/** How Connect begins the message for what does not decode: it takes that for a failure of its own. */
const UNDECODABLE = /^parse binary: /;

/**
 * Corrects a status that Connect has made: a message that does not decode is the client's mistake,
 * and the text is encoded no more than gRPC asks for, because some clients show it as it comes.
 */
export function correctStatus(status: Headers): void {
  const encoded = status.get("grpc-message");
  if (encoded === null) return;
  const message = decodeURIComponent(encoded);
  if (UNDECODABLE.test(message) && status.get("grpc-status") === String(Code.Internal)) {
    status.set("grpc-status", String(Code.InvalidArgument));
  }
  status.set("grpc-message", encodeStatusMessage(message));
}

/** Flag of the frame in which gRPC-Web sends its trailers (PROTOCOL-WEB.md of gRPC). */
const TRAILER_FLAG = 0x80;
const HEAD_BYTES = 5;

/** An error as Connect writes it. */
interface ConnectErrorJson {
  code?: string;
  message?: string;
}

/** The same for an error in JSON. @returns whether it was one that had to be corrected */
function correctJson(error: ConnectErrorJson | undefined): boolean {
  if (error?.code !== "internal" || !UNDECODABLE.test(error.message ?? "")) return false;
  error.code = "invalid_argument";
  return true;
}

/** The same for the body of a call of Connect with one answer; undefined where nothing is wrong with it. */
export function correctConnectBody(body: Uint8Array): Uint8Array | undefined {
  const error = JSON.parse(new TextDecoder().decode(body)) as ConnectErrorJson;
  return correctJson(error) ? new TextEncoder().encode(JSON.stringify(error)) : undefined;
}

/** Flag of the frame that ends a stream of Connect. */
const END_OF_STREAM_FLAG = 0x02;

/** The same for the last frame of a stream of Connect; other pieces are passed on as they are. */
export function correctConnectFrame(piece: Uint8Array): Uint8Array {
  if (piece.length < HEAD_BYTES || piece[0] !== END_OF_STREAM_FLAG) return piece;
  const end = JSON.parse(new TextDecoder().decode(piece.subarray(HEAD_BYTES))) as {
    error?: ConnectErrorJson;
  };
  return correctJson(end.error)
    ? framed(END_OF_STREAM_FLAG, new TextEncoder().encode(JSON.stringify(end)))
    : piece;
}

/** The same for the last frame of gRPC-Web; other pieces are passed on as they are. */
export function correctWebFrame(piece: Uint8Array): Uint8Array {
  if (piece.length < HEAD_BYTES || piece[0] !== TRAILER_FLAG) return piece;
  const lines = new TextDecoder().decode(piece.subarray(HEAD_BYTES)).split("\r\n");
  const trailers = new Headers(
    lines.flatMap((line) => {
      const [, name, value] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value ?? ""] as [string, string]];
    }),
  );
  correctStatus(trailers);
  const text = [...trailers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return framed(TRAILER_FLAG, new TextEncoder().encode(text));
}

function framed(flag: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEAD_BYTES + bytes.length);
  frame[0] = flag;
  new DataView(frame.buffer).setUint32(1, bytes.length);
  frame.set(bytes, HEAD_BYTES);
  return frame;
}
