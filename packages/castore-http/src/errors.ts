/** A request that cannot be answered as it was asked. */
export class CastoreHttpError extends Error {
  override readonly name = "CastoreHttpError";
  /** The status of HTTP that says so; fastify answers with it. */
  readonly statusCode: 400 | 404;

  constructor(statusCode: 400 | 404, message: string, options?: ErrorOptions) {
    super(message, options);
    this.statusCode = statusCode;
  }
}

/** Nothing is there. */
export function notFound(what: string): CastoreHttpError {
  return new CastoreHttpError(404, `${what} is not here`);
}
