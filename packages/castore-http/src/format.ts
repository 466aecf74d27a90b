import type { FastifyRequest } from "fastify";
import { CastoreHttpError } from "./errors.ts";

/** Forms in which a place can be asked for. */
const FORMATS = ["html", "json", "tar", "zip"] as const;

/** One of html, json, tar, zip. */
export type Format = (typeof FORMATS)[number];

/**
 * The form that a request names: in its query as `format`, or JSON by `Accept`; undefined where it takes what
 * there is.
 *
 * @throws CastoreHttpError 400 for one that is not known
 */
export function formatOf({ query, headers }: FastifyRequest): Format | undefined {
  const asked = (query as Record<string, unknown>)["format"];
  if (asked === undefined) return wantsJson(headers.accept) ? "json" : undefined;
  const format = FORMATS.find((known) => known === asked);
  if (format !== undefined) return format;
  throw new CastoreHttpError(400, `format is ${JSON.stringify(asked)}, not one of ${FORMATS.join(", ")}`);
}

/** Whether the query names a form. */
export function isAskedFor({ query }: FastifyRequest, format: Format): boolean {
  return (query as Record<string, unknown>)["format"] === format;
}

/** Whether JSON is taken and pages are not. */
function wantsJson(accept: string | undefined): boolean {
  const taken = (accept ?? "")
    .toLowerCase()
    .split(",")
    .filter((item) => !/;\s*q=0(?:\.0*)?\s*$/.test(item))
    .map((item) => item.split(";")[0]?.trim());
  return taken.includes("application/json") && !taken.includes("text/html");
}
