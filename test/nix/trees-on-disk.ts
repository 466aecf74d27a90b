import { mkdir, symlink, writeFile } from "node:fs/promises";
import type { Tree } from "../../packages/nar/test/trees.ts";

/** Writes a random tree to the file system. */
export async function writeTree(tree: Tree, path: Buffer): Promise<void> {
  if (tree.type === "file") {
    await writeFile(path, tree.contents, { mode: tree.executable ? 0o755 : 0o644 });
  } else if (tree.type === "symlink") {
    await symlink(Buffer.from(tree.target), path);
  } else {
    await mkdir(path);
    for (const { name, node } of tree.children) {
      await writeTree(node, Buffer.concat([path, Buffer.from("/"), name]));
    }
  }
}
