import { Code } from "@connectrpc/connect";
import { codeFromString, codeToString } from "@connectrpc/connect/protocol-connect";
import { ERROR_CODE_TRAILER, errorCodeOfStatus } from "@tvix/castore-grpc";
import { encodeStatusMessage } from "@tvix/castore-grpc/http2";

/**
 * How Connect's texts begin for what is wrong with the messages of a request: it takes what does not
 * decode for a failure of its own, and another number of messages than one for a method that is not there.
 */
const INVALID_REQUEST = /^(parse binary|protocol error: (missing|received extra) input message)/;

/** Whether a text of Connect is about the messages of a request. */
export function isInvalidRequest(message: string): boolean {
  return INVALID_REQUEST.test(message);
}

function correctCode(code: Code, message: string): Code {
  return isInvalidRequest(message) ? Code.InvalidArgument : code;
}

/** Is told with which code a call fails, as its client is: gRPC-Web and Connect hide that at the end of an answer. */
export type NoteCode = (code: string) => void;

/**
 * Corrects a status that Connect has made: what is wrong with the messages of a request is the client's
 * mistake, each failure has a code for who reads no texts, and the text is encoded no more than gRPC asks
 * for, because some clients show it as it comes.
 */
export function correctStatus(status: Headers, note: NoteCode): void {
  const code = status.get("grpc-status");
  if (code === null || code === "0") return;
  const message = decodeURIComponent(status.get("grpc-message") ?? "");
  const corrected = correctCode(Number(code), message);
  note(codeToString(corrected));
  status.set("grpc-status", String(corrected));
  status.set("grpc-message", encodeStatusMessage(message));
  if (!status.has(ERROR_CODE_TRAILER)) status.set(ERROR_CODE_TRAILER, errorCodeOfStatus(corrected));
}

/** An error as Connect writes it. */
interface ConnectErrorJson {
  code?: string;
  message?: string;
}

/** What the frame says that ends a stream of Connect. */
export interface EndOfStream {
  error?: ConnectErrorJson;
  metadata?: Record<string, string[]>;
}

/** The same for an error in JSON. @returns its code */
function correctJson(error: ConnectErrorJson, note: NoteCode): Code {
  const code = correctCode(codeFromString(error.code ?? "") ?? Code.Unknown, error.message ?? "");
  error.code = codeToString(code);
  note(error.code);
  return code;
}

/** The same for the answer to a call of Connect with one answer, whose metadata are headers. */
export function correctConnectBody(
  body: Uint8Array,
  header: Headers,
  note: NoteCode,
): { code: Code; body: Uint8Array } {
  const error = JSON.parse(new TextDecoder().decode(body)) as ConnectErrorJson;
  const code = correctJson(error, note);
  if (!header.has(ERROR_CODE_TRAILER)) header.set(ERROR_CODE_TRAILER, errorCodeOfStatus(code));
  return { code, body: new TextEncoder().encode(JSON.stringify(error)) };
}

/** Flag of the frame that ends a stream of Connect. */
const END_OF_STREAM_FLAG = 0x02;
const HEAD_BYTES = 5;

/** The same for the last frame of a stream of Connect; other pieces are passed on as they are. */
export function correctConnectFrame(piece: Uint8Array, note: NoteCode): Uint8Array {
  if (piece.length < HEAD_BYTES || piece[0] !== END_OF_STREAM_FLAG) return piece;
  const end = JSON.parse(new TextDecoder().decode(piece.subarray(HEAD_BYTES))) as EndOfStream;
  if (end.error === undefined) return piece;
  const errorCode = errorCodeOfStatus(correctJson(end.error, note));
  end.metadata = { [ERROR_CODE_TRAILER]: [errorCode], ...end.metadata };
  return endOfStream(end);
}

/** The frame that ends a stream of Connect. */
export function endOfStream(end: EndOfStream): Uint8Array {
  return framed(END_OF_STREAM_FLAG, new TextEncoder().encode(JSON.stringify(end)));
}

/** Flag of the frame in which gRPC-Web sends its trailers (PROTOCOL-WEB.md of gRPC). */
const TRAILER_FLAG = 0x80;

/** The same for the last frame of gRPC-Web; other pieces are passed on as they are. */
export function correctWebFrame(piece: Uint8Array, note: NoteCode): Uint8Array {
  if (piece.length < HEAD_BYTES || piece[0] !== TRAILER_FLAG) return piece;
  const lines = new TextDecoder().decode(piece.subarray(HEAD_BYTES)).split("\r\n");
  const trailers = new Headers(
    lines.flatMap((line) => {
      const [, name, value] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value ?? ""] as [string, string]];
    }),
  );
  correctStatus(trailers, note);
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
