import { CastorePath, type Node, nodeToJson, PathComponent, type SymlinkNode } from "@tvix/castore";
import type { FastifyReply, FastifyRequest } from "fastify";
import { notFound } from "./errors.ts";
import { findPlace } from "./find-place.ts";
import { type Format, formatOf, isAskedFor } from "./format.ts";
import { headersOf } from "./headers.ts";
import type { CastoreHttp } from "./options.ts";
import { pathUrl, percentEncoded, type RequestPath } from "./request-path.ts";
import { resolveLink } from "./resolve-link.ts";
import { type ArchiveFormat, archiveOf, sendArchive } from "./send-archive.ts";
import { directoryOf, indexOf, sendListing } from "./send-directory.ts";
import { sendFile } from "./send-file.ts";

/** A tree in which a place is asked for. */
export interface ServedTree {
  readonly prefix: "/castore/" | "/serve/";
  /** Its name in URLs. */
  readonly root: string;
  readonly node: Node;
}

/** Answers for a place in a tree: its file, listing or archive, or where its link leads. */
export async function sendPlace(
  http: CastoreHttp,
  tree: ServedTree,
  { path, hasSlash }: Pick<RequestPath, "path" | "hasSlash">,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const found = await findPlace(http.directoryService, tree.node, path);
  if (found === undefined) {
    const archive = archivedAt(path);
    const place = archive && (await findPlace(http.directoryService, tree.node, archive.path));
    if (place?.type !== "node" || place.node.type !== "directory") throw notFound(shown(tree, path));
    const { format, path: archived } = archive as NonNullable<typeof archive>;
    const sent = { node: place.node, name: nameIn(tree, archived), format, isImmutable: isImmutable(tree) };
    return await sendArchive(http, sent, request, reply);
  }
  const format = formatOf(request);
  if (found.type === "link") return redirect(tree, found.link, path, found.depth, request, reply);
  return await sendNode(http, tree, { path, hasSlash, node: found.node, format }, request, reply);
}

interface Asked {
  readonly path: CastorePath;
  readonly hasSlash: boolean;
  readonly node: Node;
  readonly format: Format | undefined;
}

async function sendNode(
  http: CastoreHttp,
  tree: ServedTree,
  { path, hasSlash, node, format }: Asked,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const common = { name: nameIn(tree, path), isImmutable: isImmutable(tree) };
  // What a client takes chooses between forms of a directory; a file is what it is.
  if (node.type !== "directory" && isAskedFor(request, "json")) {
    return reply
      .headers(headersOf(common.isImmutable, "application/json"))
      .send(`${JSON.stringify(nodeToJson(node))}\n`);
  }
  if (node.type === "symlink") return redirect(tree, node, path, path.components.length, request, reply);
  if (node.type === "file") return await sendFile(http, { ...common, node }, request, reply);
  if (format === "tar" || format === "zip") {
    return await sendArchive(http, { ...common, node, format }, request, reply);
  }
  const directory = await directoryOf(http, node);
  const index = format === undefined ? indexOf(directory, http.indexNames) : undefined;
  if (index !== undefined) {
    // What it links to is relative to the directory.
    if (!hasSlash) return reply.redirect(`${pathUrl(tree.prefix, tree.root, path)}/`, 307);
    return await sendFile(http, { ...common, ...index }, request, reply);
  }
  const listed = { ...tree, path, node, directory };
  return await sendListing(
    http,
    listed,
    format === "json" ? "json" : "html",
    common.isImmutable,
    request,
    reply,
  );
}

/**
 * Leads to where a link does. From trees that are served by name, other trees beside them can be reached.
 *
 * @param depth of the names of the path, how many lead to the link
 */
function redirect(
  tree: ServedTree,
  { target }: SymlinkNode,
  path: CastorePath,
  depth: number,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const names = path.components.map(({ bytes }) => bytes);
  const isServed = tree.prefix === "/serve/";
  const above = isServed ? [new TextEncoder().encode(tree.root)] : [];
  // A root that is a link itself lies beside the other roots.
  const from = [...above, ...names.slice(0, depth)].slice(0, -1);
  const resolved = resolveLink(target, from, names.slice(depth));
  if (resolved === undefined) {
    throw notFound(`${shown(tree, path)} leads to ${JSON.stringify(target.toString())}, which`);
  }
  const isBeside = resolved.top === "store" || isServed;
  const base = isBeside ? "/serve/" : `${pathUrl(tree.prefix, tree.root, CastorePath.ROOT)}/`;
  const query = /\?.*$/.exec(request.originalUrl)?.[0] ?? "";
  return reply
    .header("cache-control", "max-age=60")
    .redirect(`${base}${resolved.names.map(percentEncoded).join("/")}${query}`, 307);
}

/** The directory of which a path asks for an archive; undefined where it asks for none. */
function archivedAt(path: CastorePath): { path: CastorePath; format: ArchiveFormat } | undefined {
  const archive = archiveOf(Buffer.from(path.name?.bytes ?? []).toString("latin1"));
  if (archive === undefined || path.parent === undefined) return undefined;
  const { name, format } = archive;
  if (name === "." || name === "..") return undefined;
  const named = PathComponent.from(new Uint8Array(Buffer.from(name, "latin1")));
  return { path: path.parent.join(named), format };
}

/** What a place is called where it is alone. */
function nameIn({ root }: ServedTree, path: CastorePath): string {
  return path.name?.toString() ?? root;
}

function isImmutable({ prefix }: ServedTree): boolean {
  return prefix === "/castore/";
}

function shown({ prefix, root }: ServedTree, path: CastorePath): string {
  return JSON.stringify(`${prefix}${root}${path.components.length === 0 ? "" : `/${path}`}`.slice(0, 500));
}
