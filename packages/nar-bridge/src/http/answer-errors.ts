import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { answerOf } from "./status.ts";

/** Time that the rest of a refused body has to arrive, in milliseconds. */
const REST_OF_BODY_MS = 5000;

/** Answers every failure with one line of text. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler(async (error, request, reply) => {
    const { status, text, ours } = answerOf(error);
    if (ours) request.log.error({ err: error }, "a request has failed");
    dropRestOfBody(request);
    if (status === 503) reply.header("retry-after", 5);
    return refuse(reply, status, text);
  });
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
