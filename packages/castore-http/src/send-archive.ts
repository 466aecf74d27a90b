import type { ByteStream } from "@tvix/byte-stream";
import type { DirectoryNode } from "@tvix/castore";
import { checkArchivable, writeTar, writeZip } from "@tvix/castore-archive";
import { isKnownToClient, leavingOf, sendResource } from "@tvix/http-resource";
import type { FastifyReply, FastifyRequest } from "fastify";
import { headersOf } from "./headers.ts";
import type { CastoreHttp } from "./options.ts";

/** Forms in which a directory with everything below it can be had. */
export type ArchiveFormat = "tar" | "zip";

const TYPES: Readonly<Record<ArchiveFormat, string>> = { tar: "application/x-tar", zip: "application/zip" };

/** A name without the end that asks for an archive of what it names; undefined where there is no such end. */
export function archiveOf(
  name: string,
): { readonly name: string; readonly format: ArchiveFormat } | undefined {
  const [, archived, format] = /^(.+)\.(tar|zip)$/s.exec(name) ?? [];
  return archived === undefined ? undefined : { name: archived, format: format as ArchiveFormat };
}

/** A directory on its way to a client. */
export interface SentArchive {
  readonly node: DirectoryNode;
  /** In front of all paths in the archive, and of its own name. */
  readonly name: string;
  readonly format: ArchiveFormat;
  readonly isImmutable: boolean;
}

/** Answers GET and HEAD of an archive of a directory. */
export async function sendArchive(
  http: CastoreHttp,
  { node, name, format, isImmutable }: SentArchive,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const write = format === "tar" ? writeTar : writeZip;
  const resource = {
    etag: `"${node.digest.toHex()}-${format}"`,
    length: undefined,
    open: (signal: AbortSignal): ByteStream => write(node, http, { rootName: name, signal }),
  };
  const headers = {
    ...headersOf(isImmutable, TYPES[format]),
    "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(`${name}.${format}`)}`,
  };
  if (!isKnownToClient(request.headers, resource.etag)) {
    // What an archive cannot hold, or a directory that is missing, shows before the first byte is sent.
    await checkArchivable(node, http, leavingOf(reply));
  }
  return await sendResource(request, reply, resource, headers, http.stallMs);
}
