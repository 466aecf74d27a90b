import { ClientLeftError, describeRequest } from "@tvix/http-resource";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { noSuchFile, shown } from "./paths.ts";
import { answerOf } from "./status.ts";

/** Time that the rest of a refused body has to arrive, in milliseconds. */
const REST_OF_BODY_MS = 5000;

/** When a client is told to come again, in seconds. */
const RETRY_AFTER_S = 5;

/** Answers every failure with one line of text, also for what there is no route for. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler(async (error, request, reply) => answerError(error, request, reply));
  app.setNotFoundHandler(async (request, reply) =>
    answerError(noSuchFile(shown(request.url)), request, reply),
  );
}

/** The answer to a failed request. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // What failed behind the head of a response has been dealt with where it was sent.
  if (reply.sent) return reply;
  if (error instanceof ClientLeftError) {
    reply.hijack();
    reply.raw.destroy();
    return reply;
  }
  const isReading = request.method === "GET" || request.method === "HEAD";
  const { status, text, ours } = answerOf(error, isReading);
  if (ours) request.log.error({ err: error, ...describeRequest(reply) }, "a request has failed");
  dropRestOfBody(request);
  if (status === 503) reply.header("retry-after", RETRY_AFTER_S);
  return refuse(reply, status, text);
}

/** A line of text that is not to be kept by anybody in between. */
export function refuse(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply
    .code(status)
    .header("cache-control", "no-store")
    .type("text/plain; charset=utf-8")
    .send(`${text}\n`);
}

/**
 * Takes what a client still sends of a body that was refused, for a while: were the
 * connection closed at once, many would never read the answer.
 */
function dropRestOfBody({ raw }: FastifyRequest): void {
  if (raw.complete || raw.destroyed) return;
  raw.resume();
  const timer = setTimeout(() => raw.destroy(), REST_OF_BODY_MS);
  raw.once("close", () => clearTimeout(timer));
  raw.once("end", () => clearTimeout(timer));
}
