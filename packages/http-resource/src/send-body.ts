import type { ServerResponse } from "node:http";
import type { ByteStream } from "@tvix/byte-stream";
import type { FastifyReply } from "fastify";
import { gatherPieces } from "./gather-pieces.ts";

/** A body and what is said of it. */
export interface Body {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  /** Length in bytes, where it is known beforehand. */
  readonly length: number | undefined;
  /**
   * The memory of a piece may be used again as soon as the next one is asked for.
   *
   * @param signal aborted when the client has left
   */
  open(signal: AbortSignal): ByteStream;
}

/** Time without a byte going out after which a client is taken for gone, in milliseconds. */
export type StallTimeout = number;

/** Told to whatever works for a client, as the reason of an aborted signal. */
export class ClientLeftError extends Error {
  constructor() {
    super("the client has left");
  }
}

/** Aborted as soon as the client of a request has left, or its answer is complete. */
export function leavingOf({ raw: response }: FastifyReply): AbortController {
  const leaving = new AbortController();
  const leave = () => leaving.abort(new ClientLeftError());
  // One that left before this is told of never again.
  if (response.destroyed || response.closed) leave();
  else response.once("close", leave);
  return leaving;
}

/**
 * Sends a body. The head goes out with the first bytes, so that what fails before them is
 * still an error; after that the connection is reset: a short body never looks whole.
 *
 * @throws whatever the body fails with before its first byte, or the reason of a client's leaving
 */
export async function sendBody(reply: FastifyReply, body: Body, stallMs: StallTimeout): Promise<void> {
  const leaving = leavingOf(reply);
  const response = reply.raw;
  leaving.signal.throwIfAborted();
  const pieces = gatherPieces(body.open(leaving.signal))[Symbol.asyncIterator]();
  try {
    let next = await pieces.next();
    leaving.signal.throwIfAborted();
    reply.hijack();
    for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...body.headers })) {
      if (value !== undefined) response.setHeader(name, value);
    }
    if (body.length !== undefined) response.setHeader("content-length", body.length);
    response.statusCode = body.status;
    response.setTimeout(stallMs, () => response.destroy());
    let sent = 0;
    for (; next.done !== true; next = await pieces.next()) {
      sent += next.value.length;
      if (body.length !== undefined && sent > body.length) throw new Error("the body is longer than stated");
      leaving.signal.throwIfAborted();
      await written(response, next.value, leaving);
    }
    if (body.length !== undefined && sent < body.length) throw new Error("the body is shorter than stated");
    response.end();
  } catch (error) {
    // Codecs replace the reason that their source fails with.
    if (!reply.sent) throw leaving.signal.aborted ? leaving.signal.reason : error;
    response.destroy();
    if (leaving.signal.aborted) return;
    reply.log.error({ err: error, ...describeRequest(reply) }, "a response was cut off");
  } finally {
    leaving.abort();
    await pieces.return?.();
  }
}

/** Bytes that are handed over at once, so that it can be seen how fast a client takes them. */
const WRITTEN_BYTES = 128 << 10;

/**
 * Resolves when bytes have been handed to the system, so that their memory is free.
 *
 * @throws ClientLeftError, as the reason of the signal
 */
async function written(response: ServerResponse, bytes: Uint8Array, leaving: AbortController): Promise<void> {
  for (let start = 0; start < bytes.length; start += WRITTEN_BYTES) {
    await writeOnce(response, bytes.subarray(start, start + WRITTEN_BYTES), leaving);
  }
}

async function writeOnce(
  response: ServerResponse,
  bytes: Uint8Array,
  leaving: AbortController,
): Promise<void> {
  const { signal } = leaving;
  await new Promise<void>((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    response.write(bytes, (error) => {
      signal.removeEventListener("abort", leave);
      // A connection that has failed is told of here before it is closed.
      if (error) leaving.abort(new ClientLeftError());
      if (signal.aborted) leave();
      else resolve();
    });
  });
}

/** What was asked, and by whom, for the log. */
export function describeRequest({ request }: FastifyReply): { request: string; from: string } {
  return { request: `${request.method} ${request.url.slice(0, 500)}`, from: request.ip };
}
