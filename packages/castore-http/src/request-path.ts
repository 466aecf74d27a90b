import { CastoreError, CastorePath, PathComponent } from "@tvix/castore";
import { percentDecoded } from "@tvix/http-resource";
import { CastoreHttpError } from "./errors.ts";

/** A path of a request behind its prefix: names are bytes, whatever their encoding. */
export interface RequestPath {
  /** The first part: a digest, or the name of a store path. */
  readonly root: string;
  /** The rest, from the root down. */
  readonly path: CastorePath;
  /** Whether it ends in a slash, as that of a directory. */
  readonly hasSlash: boolean;
}

/**
 * Reads the path of a URL as it was sent.
 *
 * @param prefix such as `/castore/`
 * @throws CastoreHttpError 400 for `..`, NUL and the like
 */
export function parseRequestPath(url: string, prefix: string): RequestPath {
  const [path = ""] = url.split(/[?#]/, 1);
  const parts = path
    .replace(/^\/+/, "/")
    .slice(prefix.length)
    .split("/")
    .filter((part) => part !== "")
    .map(percentDecoded);
  const [root = new Uint8Array(0), ...names] = parts;
  try {
    return {
      root: new TextDecoder().decode(root),
      path: CastorePath.of(names.map((name) => PathComponent.from(name))),
      hasSlash: path.endsWith("/"),
    };
  } catch (cause) {
    if (!CastoreError.is(cause)) throw cause;
    throw new CastoreHttpError(400, `the path of the request: ${cause.message}`, { cause });
  }
}

/**
 * The URL of a request for a router that decodes what it matches: names that are not UTF-8 would not get through.
 * Used as `rewriteUrl` of fastify.
 */
export function keepEscapes(url: string): string {
  return /^\/+(?:castore|serve)\//.test(url) ? url.replaceAll("%", "%25") : url;
}

/** A name or path as a part of a URL. */
export function percentEncoded(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    return /[\w.~/-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

/** A place in a tree as a part of a URL. */
export function pathUrl(prefix: string, root: string, path: CastorePath): string {
  const names = path.components.map(({ bytes }) => percentEncoded(bytes));
  return `${prefix}${[percentEncoded(new TextEncoder().encode(root)), ...names].join("/")}`;
}
