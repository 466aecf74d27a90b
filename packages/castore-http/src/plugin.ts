import type { Node } from "@tvix/castore";
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { parseDigestName } from "./digest-name.ts";
import { CastoreHttpError, notFound } from "./errors.ts";
import { type CastoreHttp, type CastoreHttpOptions, decided, type NamedRoot } from "./options.ts";
import { parseRequestPath, percentEncoded } from "./request-path.ts";
import { type ArchiveFormat, archiveOf, sendArchive } from "./send-archive.ts";
import { fileOf } from "./send-file.ts";
import { sendPlace } from "./send-place.ts";

const READ = ["GET", "HEAD"];

/**
 * Trees of a store over HTTP, as people and browsers want them:
 *
 * - `/castore/<digest>/path…` by the digest of a directory or blob, the same for ever;
 * - `/serve/<name>/path…` by the name of a root, such as a store path.
 *
 * Files have ranges, tags and types; directories are their index file or a listing, as a page or JSON; `.tar` and
 * `.zip` behind the path of a directory, or `?format=tar|zip|json|html`, ask for another form. Links are redirects.
 *
 * ```ts
 * const app = fastify({ rewriteUrl: ({ url = "/" }) => keepEscapes(url) });
 * await app.register(castoreHttp, { blobService, directoryService });
 * ```
 *
 * Failures have the `statusCode` of a client's mistake, or are those of the services.
 */
export const castoreHttp: FastifyPluginAsync<CastoreHttpOptions> = async (app, options) => {
  const http = decided(options);
  app.route({
    method: READ,
    url: "/castore/*",
    handler: (request, reply) => sendCastore(http, request, reply),
  });
  app.route({
    method: READ,
    url: "/serve/*",
    handler: (request, reply) => sendServed(http, request, reply),
  });
};

async function sendCastore(
  http: CastoreHttp,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const prefix = "/castore/";
  const place = parseRequestPath(request.originalUrl, prefix);
  const archive = archiveOf(place.root);
  if (archive !== undefined && place.path.components.length === 0) {
    const { name, format } = archive;
    return await sendRootArchive(http, name, await nodeOf(http, name), format, true, request, reply);
  }
  const node = await nodeOf(http, place.root);
  return await sendPlace(http, { prefix, root: place.root, node }, place, request, reply);
}

/** The directory or blob that a digest names. @throws CastoreHttpError 400, or 404 */
async function nodeOf(http: CastoreHttp, text: string): Promise<Node> {
  const { digest, type } = parseDigestName(text);
  if (type !== "file") {
    const directory = await http.directoryService.get(digest);
    if (directory !== undefined) return { type: "directory", digest, size: directory.size("doubled") };
  }
  const file = type === "directory" ? undefined : await fileOf(http.blobService, digest);
  if (file === undefined) throw notFound(`${type ?? "a blob or directory"} ${digest}`);
  return file;
}

async function sendServed(
  http: CastoreHttp,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const prefix = "/serve/";
  const place = parseRequestPath(request.originalUrl, prefix);
  const found = await http.findRoot(place.root);
  if (found !== undefined) return await sendNamed(http, found, place, request, reply);
  const archive = archiveOf(place.root);
  const archived = archive && (await http.findRoot(archive.name));
  if (archive === undefined || archived === undefined || place.path.components.length > 0) {
    throw notFound(JSON.stringify(place.root.slice(0, 300)));
  }
  return await sendRootArchive(http, archived.name, archived.node, archive.format, false, request, reply);
}

async function sendNamed(
  http: CastoreHttp,
  { name, node }: NamedRoot,
  place: ReturnType<typeof parseRequestPath>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (name === place.root) {
    return await sendPlace(http, { prefix: "/serve/", root: name, node }, place, request, reply);
  }
  const rest = request.originalUrl.replace(/^\/+serve\/+[^/?#]*/, "");
  return reply.redirect(`/serve/${percentEncoded(new TextEncoder().encode(name))}${rest}`, 307);
}

async function sendRootArchive(
  http: CastoreHttp,
  name: string,
  node: Node,
  format: ArchiveFormat,
  isImmutable: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (node.type !== "directory")
    throw new CastoreHttpError(400, `${name} is a ${node.type}, not a directory`);
  const sent = { node, name, format, isImmutable };
  return await sendArchive(http, sent, request, reply);
}
