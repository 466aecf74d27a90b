import {
  type CastorePath,
  type DirectoryEntry,
  type DirectoryService,
  type Node,
  ReadAhead,
} from "@tvix/castore";
import { bytesToJson, nodeToJson, print } from "./output.ts";
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

interface Item {
  readonly path: CastorePath;
  readonly node: Node;
}

/** Depth first, in order of names, each directory before what is in it. */
async function* items(
  service: DirectoryService,
  node: Node,
  path: CastorePath,
  recursive: boolean,
): AsyncGenerator<Item, void, undefined> {
  if (node.type !== "directory") {
    yield { path, node };
    return;
  }
  const directories = recursive ? new ReadAhead(service) : service;
  const open: Iterator<DirectoryEntry>[] = [await entriesOf(directories, node)];
  const parents: CastorePath[] = [path];
  for (let current = open.at(-1); current !== undefined; current = open.at(-1)) {
    const next = current.next();
    if (next.done === true) {
      open.pop();
      parents.pop();
      continue;
    }
    const { name, node: child } = next.value;
    const place = (parents.at(-1) as CastorePath).join(name);
    yield { path: place, node: child };
    if (!recursive || child.type !== "directory") continue;
    open.push(await entriesOf(directories, child));
    parents.push(place);
  }
}

async function entriesOf(
  service: Pick<ReadAhead, "get">,
  { digest }: Extract<Node, { type: "directory" }>,
): Promise<Iterator<DirectoryEntry>> {
  const directory = await service.get(digest);
  if (directory === undefined) throw new Error(`directory ${digest} is not in the store`);
  return directory.entries.values();
}

function itemToLine({ path, node }: Item, write: (name: Uint8Array) => Uint8Array, end: string): Uint8Array {
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

function itemToJson({ path, node }: Item): Record<string, unknown> {
  return { ...bytesToJson("path", path.toBytes()), ...nodeToJson(node) };
}
