import type { IncomingHttpHeaders } from "node:http";

/** Whether the client says that it has this very form already (`If-None-Match`). */
export function isKnownToClient(headers: IncomingHttpHeaders, etag: string): boolean {
  const known = headers["if-none-match"];
  if (known === undefined) return false;
  return known.split(",").some((tag) => ["*", etag, `W/${etag}`].includes(tag.trim()));
}

/** The range asked for, unless it is one of another form than this (`If-Range`). */
export function rangeOf(headers: IncomingHttpHeaders, etag: string): string | undefined {
  const condition = headers["if-range"];
  return condition === undefined || condition === etag ? headers.range : undefined;
}

/** Whether the client takes a content coding when it is offered. */
export function accepts(headers: IncomingHttpHeaders, coding: string): boolean {
  const offered = headers["accept-encoding"];
  if (offered === undefined) return false;
  return String(offered)
    .toLowerCase()
    .split(",")
    .some((item) => {
      const [name = "", ...parameters] = item.split(";").map((part) => part.trim());
      return name === coding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    });
}
