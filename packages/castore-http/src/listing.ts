import type { ByteStream } from "@tvix/byte-stream";
import {
  bytesToJson,
  type CastorePath,
  type Directory,
  type DirectoryEntry,
  type DirectoryNode,
  nodeToJson,
} from "@tvix/castore";
import { pathUrl, percentEncoded } from "./request-path.ts";

/** A directory that is listed. */
export interface Listed {
  readonly prefix: string;
  readonly root: string;
  readonly path: CastorePath;
  readonly node: DirectoryNode;
  readonly directory: Directory;
}

/** Entries are put together to pieces of so many. */
const ENTRIES_AT_ONCE = 500;

/** As JSON: the node, with its entries in order of their names. */
export async function* listingJson({ node, directory }: Listed): ByteStream {
  const head = JSON.stringify(nodeToJson(node)).slice(0, -1);
  yield* encoded(
    `${head},"entries":[`,
    directory.entries,
    (entry, index) => {
      const { name } = entry;
      const item = { ...bytesToJson("name", name.bytes), ...nodeToJson(entry.node) };
      return `${index === 0 ? "" : ","}\n${JSON.stringify(item)}`;
    },
    "\n]}\n",
  );
}

/** As a page, which needs nothing but itself. */
export async function* listingHtml({ prefix, root, path, node, directory }: Listed): ByteStream {
  const here = pathUrl(prefix, root, path);
  const title = `${root}${path.components.length === 0 ? "" : `/${path}`}`;
  const up =
    path.parent === undefined
      ? ""
      : `<tr><td><a href="${pathUrl(prefix, root, path.parent)}?format=html">..</a><td><td></tr>\n`;
  const head = `<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>${escaped(title)}</title>
<style>body{font:16px/1.4 system-ui,sans-serif;margin:1rem auto;max-width:60rem;padding:0 1rem}
h1{font-size:1.1rem;overflow-wrap:anywhere}td,th{text-align:left;padding:.1rem 1rem .1rem 0}
td:nth-child(2){text-align:right;font-variant-numeric:tabular-nums}a{overflow-wrap:anywhere}</style>
<main><h1>${escaped(title)}</h1>
<p>${directory.entries.length} entries, ${node.size} below. <a href="${here}?format=tar">tar</a> <a href="${here}?format=zip">zip</a> <a href="${here}?format=json">json</a></p>
<table><thead><tr><th scope="col">Name<th scope="col">Size<th scope="col">Type</tr></thead><tbody>
${up}`;
  yield* encoded(head, directory.entries, (entry) => rowOf(here, entry), "</tbody></table></main></html>\n");
}

function rowOf(here: string, { name, node }: DirectoryEntry): string {
  const shown = escaped(name.toString());
  const link = `${here}/${percentEncoded(name.bytes)}`;
  switch (node.type) {
    case "directory":
      return `<tr><td><a href="${link}?format=html">${shown}/</a><td>${node.size}<td>directory</tr>\n`;
    case "file":
      return `<tr><td><a href="${link}">${shown}</a><td>${node.size}<td>${node.executable ? "executable" : "file"}</tr>\n`;
    case "symlink":
      return `<tr><td><a href="${link}">${shown}</a><td><td>link to ${escaped(node.target.toString())}</tr>\n`;
  }
}

async function* encoded(
  head: string,
  entries: readonly DirectoryEntry[],
  write: (entry: DirectoryEntry, index: number) => string,
  tail: string,
): ByteStream {
  const encoder = new TextEncoder();
  yield encoder.encode(head);
  for (let start = 0; start < entries.length; start += ENTRIES_AT_ONCE) {
    const some = entries.slice(start, start + ENTRIES_AT_ONCE);
    yield encoder.encode(some.map((entry, index) => write(entry, start + index)).join(""));
  }
  yield encoder.encode(tail);
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
