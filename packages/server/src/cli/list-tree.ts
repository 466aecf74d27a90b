import type { CastorePath, DirectoryEntry, DirectoryService, Node } from "@tvix/castore";
import { bytesToJson, nodeToJson, print } from "./output.ts";

/** How a tree is listed. */
export interface ListOptions {
  readonly recursive: boolean;
  readonly json: boolean;
}

/**
 * Lists a node: the entries of a directory, or the file or link itself. A line is type and
 * mode, size, digest and path; names are written as they are, so that other programs find
 * what they expect.
 */
export async function listTree(
  service: DirectoryService,
  node: Node,
  path: CastorePath,
  { recursive, json }: ListOptions,
): Promise<void> {
  let separator = "[";
  for await (const item of items(service, node, path, recursive)) {
    if (json) await print(`${separator}${JSON.stringify(itemToJson(item))}`);
    else await print(itemToLine(item));
    separator = ",\n ";
  }
  if (json) await print(separator === "[" ? "[]\n" : "]\n");
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
  const open: Iterator<DirectoryEntry>[] = [await entriesOf(service, node)];
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
    open.push(await entriesOf(service, child));
    parents.push(place);
  }
}

async function entriesOf(
  service: DirectoryService,
  { digest }: Extract<Node, { type: "directory" }>,
): Promise<Iterator<DirectoryEntry>> {
  const directory = await service.get(digest);
  if (directory === undefined) throw new Error(`directory ${digest} is not in the store`);
  return directory.entries.values();
}

function itemToLine({ path, node }: Item): Uint8Array {
  const line = Buffer.concat([Buffer.from(describe(node)), path.toBytes()]);
  const arrow = node.type === "symlink" ? [Buffer.from(" -> "), node.target.bytes] : [];
  return Buffer.concat([line, ...arrow, Buffer.from("\n")]);
}

function describe(node: Node): string {
  if (node.type === "symlink") return `l ${"-".padStart(12)} ${"-".padEnd(51)} `;
  const kind = node.type === "directory" ? "d" : node.executable ? "x" : "f";
  return `${kind} ${String(node.size).padStart(12)} ${node.digest} `;
}

function itemToJson({ path, node }: Item): Record<string, unknown> {
  return { ...bytesToJson("path", path.toBytes()), ...nodeToJson(node) };
}
