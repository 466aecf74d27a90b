import {
  CastoreError,
  type Directory,
  type DirectoryNode,
  type FileNode,
  PathComponent,
} from "@tvix/castore";
import { sendResource } from "@tvix/http-resource";
import type { FastifyReply, FastifyRequest } from "fastify";
import { headersOf } from "./headers.ts";
import { type Listed, listingHtml, listingJson } from "./listing.ts";
import type { CastoreHttp } from "./options.ts";

/** The directory of a node. @throws CastoreError INCOMPLETE */
export async function directoryOf(
  { directoryService }: Pick<CastoreHttp, "directoryService">,
  { digest }: DirectoryNode,
): Promise<Directory> {
  const directory = await directoryService.get(digest);
  if (directory !== undefined) return directory;
  throw new CastoreError("INCOMPLETE", `directory ${digest} is not in the store`, { subject: `${digest}` });
}

/** The file that is served for a directory; undefined where it has none. */
export function indexOf(
  directory: Directory,
  names: readonly string[],
): { readonly node: FileNode; readonly name: string } | undefined {
  for (const name of names) {
    const node = directory.get(PathComponent.from(name));
    if (node?.type === "file") return { node, name };
  }
  return undefined;
}

/** Answers GET and HEAD of a listing. */
export async function sendListing(
  { stallMs }: CastoreHttp,
  listed: Listed,
  format: "html" | "json",
  isImmutable: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const resource = {
    etag: `"${listed.node.digest.toHex()}-${format}"`,
    length: undefined,
    open: () => (format === "json" ? listingJson(listed) : listingHtml(listed)),
  };
  const type = format === "json" ? "application/json" : "text/html; charset=utf-8";
  return await sendResource(request, reply, resource, headersOf(isImmutable, type), stallMs);
}
