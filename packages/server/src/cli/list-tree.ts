import {
  bytesToJson,
  CastorePath,
  type DirectoryNode,
  type DirectoryService,
  type Node,
  nodeToJson,
  type PlacedNode,
  walkTree,
} from "@tvix/castore";
import { print } from "./output.ts";
import { quoteName } from "./quote-name.ts";

/** How a tree is listed. */
export interface ListOptions {
  readonly recursive: boolean;
  /** Lines with names that are quoted where they need to be, or that end in NUL with names as they are. */
  readonly format: "quoted" | "raw" | "json";
}

/**
 * Lists a node: the entries of a directory, or the file or link itself. A line is type and
 * mode, size, digest and path. A name that would break a line, or a terminal, is in double quotes
 * with escapes as in C.
 */
export async function listTree(
  service: DirectoryService,
  node: Node,
  path: CastorePath,
  { recursive, format }: ListOptions,
): Promise<void> {
  let separator = "[";
  for await (const item of items(service, node, path, recursive)) {
    if (format === "json") await print(`${separator}${JSON.stringify(itemToJson(item))}`);
    else await print(format === "raw" ? itemToLine(item, asIs, "\0") : itemToLine(item, quoted, "\n"));
    separator = ",\n ";
  }
  if (format === "json") await print(separator === "[" ? "[]\n" : "]\n");
}

/** A node with what is in it, or with everything below it. */
async function* items(
  service: DirectoryService,
  root: Node,
  path: CastorePath,
  recursive: boolean,
): AsyncGenerator<PlacedNode, void, undefined> {
  if (root.type === "directory" && !recursive) {
    yield* entriesOf(service, root, path);
    return;
  }
  for await (const { path: place, node } of walkTree(root, service)) {
    const isRoot = place.components.length === 0;
    if (!isRoot) yield { path: CastorePath.of([...path.components, ...place.components]), node };
    else if (root.type !== "directory") yield { path, node };
  }
}

async function* entriesOf(
  service: DirectoryService,
  { digest }: DirectoryNode,
  path: CastorePath,
): AsyncGenerator<PlacedNode, void, undefined> {
  const directory = await service.get(digest);
  if (directory === undefined) throw new Error(`directory ${digest} is not in the store`);
  for (const { name, node } of directory.entries) yield { path: path.join(name), node };
}

function itemToLine(
  { path, node }: PlacedNode,
  write: (name: Uint8Array) => Uint8Array,
  end: string,
): Uint8Array {
  const line = Buffer.concat([Buffer.from(describe(node)), write(path.toBytes())]);
  const arrow = node.type === "symlink" ? [Buffer.from(" -> "), write(node.target.bytes)] : [];
  return Buffer.concat([line, ...arrow, Buffer.from(end)]);
}

function asIs(name: Uint8Array): Uint8Array {
  return name;
}

function quoted(name: Uint8Array): Uint8Array {
  return Buffer.from(quoteName(name));
}

function describe(node: Node): string {
  if (node.type === "symlink") return `l ${"-".padStart(12)} ${"-".padEnd(51)} `;
  const kind = node.type === "directory" ? "d" : node.executable ? "x" : "f";
  return `${kind} ${String(node.size).padStart(12)} ${node.digest} `;
}

function itemToJson({ path, node }: PlacedNode): Record<string, unknown> {
  return { ...bytesToJson("path", path.toBytes()), ...nodeToJson(node) };
}
